import { pino } from 'pino'
import { expect, it } from 'vitest'
import { nodeFiles } from '#server/lib/files.ts'
import { createReservations } from '#server/placement/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { alone } from '#test/fakes/fleet.ts'
import { createHosting } from './hosting.ts'

const BID_MS = 5_000
const log = pino({ level: 'silent' })
const key = { home: 'h'.repeat(26), jobId: '0000000000000a', epoch: 1 }

function setUp(hosted: object) {
  const clock = virtualClock()
  const deps = {
    store: { hosted: { onChange: () => () => {}, ...hosted } },
    clock,
    fleet: alone,
    log,
    random: () => 0,
    files: nodeFiles,
    directories: { hosted: '/nowhere' },
    settings: { bidMs: BID_MS },
  }
  const reservations = createReservations({ slots: 1, waitingPlaces: 0, clock })
  return { clock, reservations, hosting: createHosting(deps as never, { reservations } as never) }
}

it('tells no home of its attempts before it is known what an earlier server left of them', async () => {
  const row = { ...key, state: 'running', award: {}, end: null, lastN: 0, acceptedAt: virtualClock().now() }
  const ends: unknown[] = []
  const { hosting } = setUp({
    get: async () => row,
    all: async () => [row],
    append: async (_: unknown, __: unknown, ___: unknown, { end }: { end: unknown }) => ends.push(end),
  })
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

it('takes no attempt whose home said before that it is over, and keeps no place for it', async () => {
  const { hosting, reservations } = setUp({ get: async () => undefined, all: async () => [] })
  await hosting.recover()
  await hosting.settle(key)
  expect(reservations.reserve('bid', BID_MS, { agent: 'command', model: null, repository: null } as never)).toBe(0)
  const award = { bidId: 'bid', jobId: key.jobId, epoch: key.epoch }
  await expect(hosting.award(key.home, award as never)).rejects.toMatchObject({ code: 'not_yours' })
  expect(reservations.reserve('next', BID_MS, { agent: 'command', model: null, repository: null } as never)).toBe(0)
  await hosting.stop()
})
