import { expect, it } from 'vitest'
import type { HostedKey, HostedRow } from '#server/store/index.ts'
import { LONGEST_AWAY_MS } from '#shared/model/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { createForgetting } from './forgetting.ts'

const HOUR_MS = 3_600_000

function make(...ids: string[]) {
  const clock = virtualClock()
  const rows = ids.map(jobId => ({ home: 'h'.repeat(26), jobId, epoch: 1, acceptedAt: clock.now() }) as HostedRow)
  const forgotten: string[] = []
  const running = new Set<string>()
  const failures: unknown[] = []
  const forgetting = createForgetting(
    { clock, hosted: { all: async () => rows }, warn: error => failures.push(error) },
    { isRunning: ({ jobId }: HostedKey) => running.has(jobId), forget: async ({ jobId }) => void forgotten.push(jobId) },
  )
  return { clock, rows, forgotten, running, forgetting, failures }
}

it('forgets on a running node what no home came back for, and keeps what runs and what is asked for', async () => {
  const { clock, rows, forgotten, running, forgetting } = make('gone', 'runs', 'asked')
  running.add('runs')
  clock.advance(2 * LONGEST_AWAY_MS)
  const asked = rows[2]
  if (asked) forgetting.heard(asked)
  forgetting.occasionally()
  await forgetting.settled()
  expect(forgotten).toEqual([])
  clock.advance(HOUR_MS)
  forgetting.occasionally()
  await forgetting.settled()
  expect(forgotten).toEqual(['gone'])
  // Until that home is silent too.
  clock.advance(2 * LONGEST_AWAY_MS)
  forgetting.occasionally()
  await forgetting.settled()
  expect(forgotten).toEqual(['gone', 'gone', 'asked'])
})

it('looks once an hour at most, and sets no timer', async () => {
  const { clock, rows, forgotten, forgetting } = make('old')
  clock.advance(3 * LONGEST_AWAY_MS)
  for (let award = 0; award < 5; award++) forgetting.occasionally()
  await forgetting.settled()
  expect(forgotten).toEqual(['old'])
  expect(rows[0] && forgetting.isOld(rows[0])).toBe(true)
  expect(clock.waiting()).toBe(0)
})

it('says so when it could not, and tries again', async () => {
  const { clock, rows, forgetting, failures, forgotten } = make('old')
  const row = rows[0]
  rows.splice(0, 1, null as never)
  clock.advance(3 * LONGEST_AWAY_MS)
  forgetting.occasionally()
  await forgetting.settled()
  expect(failures).toHaveLength(1)
  if (row) rows.splice(0, 1, row)
  clock.advance(HOUR_MS)
  forgetting.occasionally()
  await forgetting.settled()
  expect(forgotten).toEqual(['old'])
})
