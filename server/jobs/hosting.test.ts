import { pino } from 'pino'
import { expect, it } from 'vitest'
import { nodeFiles } from '#server/lib/files.ts'
import { createReservations } from '#server/placement/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { alone } from '#test/fakes/fleet.ts'
import { createHosting } from './hosting.ts'

it('tells no home of its attempts before it is known what an earlier server left of them', async () => {
  const clock = virtualClock()
  const key = { home: 'h'.repeat(26), jobId: '0000000000000a', epoch: 1 }
  const row = { ...key, state: 'running', award: {}, end: null, lastN: 0, acceptedAt: clock.now() }
  const ends: unknown[] = []
  const hosted = {
    get: async () => row,
    all: async () => [row],
    append: async (_: unknown, __: unknown, ___: unknown, { end }: { end: unknown }) => ends.push(end),
    onChange: () => () => {},
  }
  const log = pino({ level: 'silent' })
  const deps = {
    store: { hosted },
    clock,
    fleet: alone,
    log,
    random: () => 0,
    files: nodeFiles,
    directories: { hosted: '/nowhere' },
  }
  const reservations = createReservations({ slots: 1, waitingPlaces: 0, clock })
  const hosting = createHosting(deps as never, { reservations } as never)
  const told: string[] = []
  const never = new AbortController().signal
  const asking = [
    hosting.awarded(key).then(() => told.push('award')),
    hosting.modelCalls(key, { after: 0, open: [], waitMs: 0 }, never).then(() => told.push('calls')),
  ]
  await new Promise(setImmediate)
  expect(told).toEqual([])
  await hosting.recover()
  await Promise.all(asking)
  expect([told.toSorted(), ends]).toEqual([['award', 'calls'], [expect.objectContaining({ kind: 'lost' })]])
  await hosting.stop()
})
