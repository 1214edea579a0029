import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { ATTEMPT_STATES, type EventBody, isAttempt, JOB_STATES, mayMove } from '#shared/model/index.ts'
import { believable } from './reports.ts'

const state = fc.constantFrom(...JOB_STATES)
const epoch = fc.constantFrom(1, 2, 3)
const anything: fc.Arbitrary<EventBody> = fc.oneof(
  fc.record({ type: fc.constant('job.state' as const), from: state, to: state, epoch, failure: fc.constant(null) }),
  fc.record({ type: fc.constant('agent.message' as const), epoch, text: fc.string() }),
  fc.record({ type: fc.constant('log.sealed' as const), bytes: fc.nat(), sha256: fc.string() }),
  fc.record({ type: fc.constant('result.refused' as const), epoch, reason: fc.string() }),
  fc.record({ type: fc.constant('warning' as const), code: fc.string(), detail: fc.string() }),
)
const reportOf = (bodies: readonly EventBody[]) => ({
  events: bodies.map((body, index) => ({ n: index + 1, at: '2026-01-01T00:00:00.000Z', body })),
})

it('takes of whatever a worker tells only what is of this attempt, is its to tell, and leads on', () => {
  fc.assert(
    fc.property(fc.array(anything), fc.constantFrom(...ATTEMPT_STATES), (bodies, at) => {
      const { events, state: reached } = believable(reportOf(bodies), { state: at, epoch: 2 })
      let now: (typeof JOB_STATES)[number] = at
      for (const body of events) {
        expect(['job.state', 'agent.message', 'warning']).toContain(body.type)
        if ('epoch' in body) expect(body.epoch).toBe(2)
        if (body.type !== 'job.state') continue
        expect(body.from).toBe(now)
        expect(mayMove(body.from, body.to) && isAttempt(body.to)).toBe(true)
        now = body.to
      }
      expect(reached).toBe(now)
    }),
  )
})

it('loses nothing of what an honest one tells', () => {
  const bodies: EventBody[] = [
    { type: 'job.state', from: 'placing', to: 'preparing', epoch: 2, failure: null },
    { type: 'agent.message', epoch: 2, text: 'hello' },
    { type: 'job.state', from: 'preparing', to: 'running', epoch: 2, failure: null },
    { type: 'warning', code: 'no_changes', detail: 'none' },
  ]
  expect(believable(reportOf(bodies), { state: 'placing', epoch: 2 })).toEqual({ events: bodies, state: 'running' })
})
