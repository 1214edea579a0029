import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ATTEMPT_STATES, isEnd, JobSpec, mayMove, NO_USAGE, type Result } from '#shared/model/index.ts'
import { conclude, type Ended } from './conclude.ts'

const spec = JobSpec.parse({ agent: 'command', argv: ['true'], maxAttempts: 3 })
const result: Result = {
  epoch: 1,
  snapshot: 'a'.repeat(40),
  commit: 'b'.repeat(40),
  ref: null,
  diffStat: { files: 0, insertions: 0, deletions: 0, changes: [] },
  checks: [],
  exitCode: 0,
  usage: NO_USAGE,
  durations: { queueMs: 0, prepareMs: 0, runMs: 0, checkMs: 0 },
  executor: 'process',
  isolation: 'process',
  agent: { id: 'command', version: null },
  model: null,
  logBytes: 0,
  warnings: [],
}
const job = { id: '0000000000000a', state: 'checking', epoch: 1, losses: 0, cancelRequested: false, spec } as const
const red = { code: 'check_failed', detail: 'red' } as const

const anyEnd: fc.Arbitrary<Ended> = fc.oneof(
  fc.constant<Ended>({ kind: 'failed', failure: { code: 'agent_failed', detail: 'no' } }),
  fc
    .constantFrom('cancel', 'shutdown', 'run_timeout', 'silence_timeout', 'check_timeout')
    .map((stop): Ended => ({ kind: 'stopped', stop })),
  fc.string().map((reason): Ended => ({ kind: 'lost', reason })),
  fc.string().map((reason): Ended => ({ kind: 'returned', reason })),
  fc.string().map((reason): Ended => ({ kind: 'aside', reason })),
)

describe('what the end of an attempt makes of its job', () => {
  it('takes a green result as success and a red one as failure, and keeps both', () => {
    expect(conclude(job, { kind: 'result', result, failure: null }, 7).patch).toMatchObject({
      state: 'succeeded',
      result,
      undelivered: true,
      endedAt: 7,
    })
    expect(conclude(job, { kind: 'result', result, failure: red }, 7).patch).toMatchObject({
      state: 'failed',
      result,
      undelivered: true,
      failure: red,
    })
  })

  it('has nothing to deliver when nothing was changed', () => {
    expect(conclude(job, { kind: 'result', result: { ...result, commit: null }, failure: null }, 7).patch.undelivered).toBe(false)
  })

  it('queues a lost attempt again until the job has had all it may have', () => {
    expect(conclude({ ...job, losses: 1 }, { kind: 'lost', reason: 'crash' }, 7).patch).toEqual({ state: 'queued', losses: 2 })
    expect(conclude({ ...job, losses: 2 }, { kind: 'lost', reason: 'crash' }, 7).patch).toMatchObject({
      state: 'failed',
      failure: { code: 'attempts_exhausted' },
    })
  })

  it('counts nothing against a job whose attempt came back undone, but does not go on for ever', () => {
    const back = { kind: 'returned', reason: 'draining' } as const
    const { patch, events } = conclude({ ...job, epoch: 99, losses: 2 }, back, 7)
    expect(patch).toEqual({ state: 'queued' })
    expect(events[0]).toEqual({ type: 'attempt.returned', epoch: 99, reason: 'draining' })
    expect(conclude({ ...job, epoch: 5_000 }, back, 7).patch.state).toBe('failed')
  })

  it('goes on without an attempt that is set aside, which counts as one that is lost', () => {
    const { patch, events, setAside } = conclude(job, { kind: 'aside', reason: 'unheard of' }, 7)
    expect({ patch, setAside }).toEqual({ patch: { state: 'queued', losses: 1 }, setAside: true })
    expect(events[0]).toMatchObject({ type: 'attempt.aside', epoch: 1 })
    const cancelled = conclude({ ...job, cancelRequested: true }, { kind: 'aside', reason: 'unheard of' }, 7)
    expect(cancelled.patch.state).toBe('cancelled')
    expect(cancelled.setAside).toBeUndefined()
  })

  it('hands work back when the node stops, however often', () => {
    expect(conclude({ ...job, epoch: 99 }, { kind: 'stopped', stop: 'shutdown' }, 7).patch).toEqual({ state: 'queued' })
  })

  it('always moves along an arrow, says so in an event, and is guarded by the state and epoch it saw', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...ATTEMPT_STATES),
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        anyEnd,
        (state, epoch, cancelRequested, end) => {
          const change = conclude({ ...job, state, epoch, cancelRequested }, end, 7)
          const to = change.patch.state ?? state
          expect(mayMove(state, to)).toBe(true)
          expect(change.guard).toEqual({ state, epoch })
          expect(change.events.at(-1)).toMatchObject({ type: 'job.state', from: state, to, epoch })
          expect(isEnd(to)).toBe(change.patch.endedAt === 7)
          if (cancelRequested) expect(to).toBe('cancelled')
        },
      ),
    )
  })
})
