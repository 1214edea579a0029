import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  ATTEMPT_STATES,
  type EventBody,
  isAttempt,
  JOB_STATES,
  JobSpec,
  mayMove,
  NO_USAGE,
  type Result,
} from '#shared/model/index.ts'
import { believable, contradiction, createEar, longestMs } from './reports.ts'

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
  expect(believable(reportOf(bodies), { state: 'placing', epoch: 2 })).toEqual({
    events: bodies,
    state: 'running',
    refused: 0,
  })
})

const run = (exitCode: number) => ({ exitCode, ended: 'exit' as const, durationMs: 1, logOffset: 0, logBytes: 0, logSha256: '' })
const checkOf = (argv: string[], exitCode: number) => ({ argv, verdict: 'fixed' as const, base: run(1), result: run(exitCode) })
const resultOf = (told: Partial<Result>): Result => ({
  ...{
    epoch: 1,
    snapshot: null,
    commit: null,
    ref: null,
    exitCode: 0,
    usage: NO_USAGE,
    executor: 'process',
    isolation: 'process',
  },
  ...{ diffStat: { files: 0, insertions: 0, deletions: 0, changes: [] }, checks: [], agent: { id: 'command', version: null } },
  ...{ durations: { queueMs: 0, prepareMs: 0, runMs: 0, checkMs: 0 }, model: null, logBytes: 0, warnings: [] },
  ...told,
})
const spec = JobSpec.parse({
  agent: 'command',
  argv: ['true'],
  repository: { path: '/r' },
  checks: [['npm', 'test'], ['true']],
})

it.each<[string, Partial<Result>, string | null]>([
  ['all checks, green', { checks: [checkOf(['npm', 'test'], 0), checkOf(['true'], 0)] }, null],
  ['no checks', {}, 'It tells of 0 checks, and the job has 2.'],
  ['other checks', { checks: [checkOf(['true'], 0), checkOf(['true'], 0)] }, 'It tells of 2 checks, and the job has 2.'],
  [
    'a check that is red',
    { checks: [checkOf(['npm', 'test'], 1), checkOf(['true'], 0)] },
    'It calls a result good of which it says that a check is red.',
  ],
])('a result called good with %s', (_, told, why) => {
  expect(contradiction({ kind: 'result', result: resultOf(told), failure: null }, spec)).toBe(why)
})

it('a commit of a job without a repository is none, and a failed result may lack checks', () => {
  const bare = JobSpec.parse({ agent: 'command', argv: ['true'] })
  const made = resultOf({ commit: 'a'.repeat(40) })
  expect(contradiction({ kind: 'result', result: made, failure: null }, bare)).toBe(
    'It has a commit of a job without a repository.',
  )
  const failure = { code: 'agent_failed' as const, detail: 'exit 1' }
  expect(contradiction({ kind: 'result', result: resultOf({}), failure }, spec)).toBeNull()
})

it('hears a worker out up to so many characters, in however many reports', () => {
  const hears = createEar(1000)
  const report = reportOf([{ type: 'agent.message', epoch: 1, text: 'x'.repeat(300) }])
  expect([hears(report), hears(report), hears(report)]).toEqual([true, true, false])
})

it('gives an attempt the time that all its limits together allow', () => {
  const timeouts = { queueMs: 7, runMs: 1000, checkMs: 10, silenceMs: 1, permissionMs: 1 }
  expect(longestMs({ setup: [['a']], checks: [['b'], ['c']] }, timeouts, 5)).toBe(7 + 1000 + 3 * 10 + 4 * 10 + 50)
})
