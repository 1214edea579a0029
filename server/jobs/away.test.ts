import { pino } from 'pino'
import { expect, it } from 'vitest'
import { ApiError } from '#shared/contract/index.ts'
import { type Award, DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from '#shared/model/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { alone } from '#test/fakes/fleet.ts'
import { createAway } from './away.ts'

const WORKER = 'w'.repeat(26)

it('gives an attempt up whose node was not trusted for a moment: it may have stopped it then', async () => {
  let isTrusted = true
  let renewals = 0
  const listeners = new Set<() => void>()
  const link = {
    renew(_: unknown, __: unknown, signal: AbortSignal) {
      // Of a home that asks for ever nobody would hear again.
      if (++renewals > 100) isTrusted = false
      const { promise, reject } = Promise.withResolvers<never>()
      const abort = () => reject(signal.reason)
      signal.addEventListener('abort', abort)
      if (signal.aborted) abort()
      return promise
    },
    places: async () => [],
    settle: async () => {},
  }
  const fleet = {
    ...alone,
    link: () => (isTrusted ? link : null),
    onChange(listener: () => void) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  const deps = {
    store: { aside: async () => [] },
    logs: { writer: async () => ({ offset: 0, written: 0, dropped: 0, close: async () => {} }) },
    settings: { limits: DEFAULT_LIMITS, timeouts: DEFAULT_TIMEOUTS, leaseMs: 90_000, graceMs: 1_000 },
    clock: virtualClock(),
    log: pino({ level: 'silent' }),
  }
  const bringHome = { log: async () => {}, forget: async () => {} }
  const homeModels = { answer: async () => {} }
  const away = createAway(deps as never, { fleet, bringHome, homeModels } as never)
  const spec = { setup: [], checks: [], limits: {}, timeouts: {}, maxAttempts: 3 }
  const job = { id: 'job', epoch: 1, state: 'running', snapshot: null, losses: 0, spec }
  const row = { jobId: 'job', epoch: 1, worker: WORKER, seen: 0, logOffset: 0, executor: 'process' }
  const ended = away.resume(job as never, row, new AbortController().signal)
  await new Promise(setImmediate)
  expect(renewals).toBe(1)
  for (const now of [false, true]) {
    isTrusted = now
    for (const listener of listeners) listener()
  }
  expect((await ended).end).toEqual({ kind: 'lost', reason: 'The trust in the node that ran it has ended.' })
  expect(renewals).toBe(1)
})

it('gives an attempt up whose node was away for as long as it may be: nobody would send it the snapshot any more', async () => {
  const executors: string[] = []
  let renewals = 0
  const clock = virtualClock()
  const link = {
    async award({ spec }: Award) {
      executors.push(spec.executor)
      throw new ApiError('peer_unreachable', 'No answer')
    },
    async renew() {
      renewals++
    },
  }
  const deps = {
    store: { aside: async () => [] },
    settings: { limits: DEFAULT_LIMITS, timeouts: DEFAULT_TIMEOUTS, leaseMs: 30_000, graceMs: 1_000 },
    clock,
  }
  const fleet = { ...alone, link: () => link, who: () => ({ name: 'attic' }) }
  const away = createAway(deps as never, { fleet, bringHome: {}, homeModels: { offer: async () => ({}) } } as never)
  const spec = { executor: 'auto', setup: [], checks: [], limits: {}, timeouts: { queueMs: 60_000 }, maxAttempts: 3 }
  const job = { id: 'job', epoch: 1, state: 'placing', snapshot: { commit: 'c' }, losses: 0, createdAt: 0, title: 'job', spec }
  const row = { jobId: 'job', epoch: 1, worker: WORKER, seen: 0, logOffset: 0, executor: 'container' }
  let end: unknown = null
  void away.resume(job as never, row, new AbortController().signal).then(result => {
    end = result.end
  })
  for (let second = 0; second < 60 && end === null; second++) {
    await new Promise(setImmediate)
    clock.advance(1_000)
  }
  expect(end).toEqual({ kind: 'lost', reason: 'attic could not be reached for the length of its lease.' })
  // What it bid with, however often it is asked.
  expect(executors.length).toBeGreaterThan(3)
  expect(new Set(executors)).toEqual(new Set(['container']))
  expect(renewals).toBe(0)
})
