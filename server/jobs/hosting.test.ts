import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, it, onTestFinished } from 'vitest'
import { nodeFiles } from '#server/lib/files.ts'
import { createReservations } from '#server/placement/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { alone } from '#test/fakes/fleet.ts'
import { createHosting } from './hosting.ts'

const BID_MS = 5_000
const log = pino({ level: 'silent' })
const key = { home: 'h'.repeat(26), jobId: '0000000000000a', epoch: 1 }

function setUp(hosted: object, more: object = {}) {
  const clock = virtualClock()
  const directory = mkdtempSync(join(tmpdir(), 'skein-hosting-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const deps = {
    store: { hosted: { onChange: () => () => {}, ...hosted } },
    clock,
    fleet: { ...alone, accepts: () => true },
    log,
    random: () => 0,
    files: nodeFiles,
    directories: { hosted: directory },
    settings: { bidMs: BID_MS, graceMs: 0, unackedBytes: 1, limits: {} },
    ...more,
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

/** An award that is being written down until `written` is called, and how its attempt ended. */
async function beingTaken(more: object = {}) {
  const written = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<unknown>()
  const parts = setUp(
    {
      get: async () => undefined,
      all: async () => [],
      async accept() {
        asked.resolve()
        await written.promise
        return true
      },
      append: async (_: unknown, __: unknown, ___: unknown, { end }: { end: unknown }) => ended.resolve(end),
    },
    more,
  )
  const { hosting, reservations } = parts
  await hosting.recover()
  reservations.reserve('bid', BID_MS, { agent: 'command', model: null, repository: null } as never)
  const award = {
    bidId: 'bid',
    jobId: key.jobId,
    epoch: key.epoch,
    leaseMs: 1_000_000,
    snapshot: { repositoryId: 'r' },
    spec: {},
  }
  const awarded = hosting.award(key.home, award as never)
  await asked.promise
  return { ...parts, written: written.resolve, awarded, end: ended.promise }
}

it('gives back an attempt that was being taken when all were given back', async () => {
  const { hosting, written, awarded, end } = await beingTaken()
  hosting.handBack()
  written()
  await awarded
  expect(await end).toEqual({ kind: 'stopped', stop: 'shutdown', handedBack: true })
  await hosting.stop()
})

it('ends an attempt that was being taken when the node stops, and waits for it', async () => {
  const { hosting, written, awarded, end, reservations } = await beingTaken()
  const stopped = hosting.stop()
  written()
  await Promise.all([awarded, stopped])
  expect(await end).toEqual({ kind: 'stopped', stop: 'shutdown' })
  expect(reservations.busy()).toBe(0)
})

it('runs nothing of a node whose jobs are not taken any more since its award was let in', async () => {
  let isTrusted = true
  const { hosting, written, awarded, end } = await beingTaken({ fleet: { ...alone, accepts: () => isTrusted } })
  isTrusted = false
  written()
  await awarded
  expect(await end).toEqual({ kind: 'stopped', stop: 'cancel' })
  await hosting.stop()
})
