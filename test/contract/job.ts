import type { Change, NewJob } from '#server/store/index.ts'
import { checkVerdict, type EventBody, JobSpec, type JobState, NO_USAGE, type Result } from '#shared/model/index.ts'

const spec = JobSpec.parse({ agent: 'command', argv: ['true'] })
export const AT = Date.UTC(2026, 0, 2)

/** A queued job as `jobs/` makes it, with a few fields of the test's own. */
export function newJob(
  id: string,
  fields: Partial<NewJob['job']> = {},
  idempotency: NewJob['idempotency'] = null,
  wording: string | null = null,
): NewJob {
  const job: NewJob['job'] = {
    id: id.padStart(14, '0'),
    state: 'queued',
    epoch: 0,
    title: `job ${id}`,
    priority: 0,
    spec,
    snapshot: null,
    createdAt: AT,
    updatedAt: AT,
    startedAt: null,
    endedAt: null,
    queueDeadline: AT + 1000,
    cancelRequested: false,
    retryOf: null,
    failure: null,
    result: null,
    undelivered: false,
    losses: 0,
    ...fields,
  }
  const { title, priority, snapshot, retryOf } = job
  return { job, idempotency, wording, events: [{ type: 'job.created', title, agent: spec.agent, priority, snapshot, retryOf }] }
}

/** The change that moves a job through some states, with its events. */
export function moves(job: { id: string; state: JobState; epoch: number }, ...states: JobState[]): Change {
  const { id, state, epoch } = job
  const chain = [state, ...states]
  const events = states.map((to, index): EventBody => ({ type: 'job.state', from: chain[index] ?? to, to, epoch, failure: null }))
  return { id, guard: { state, epoch }, patch: { state: chain.at(-1) ?? state }, events, at: AT + 5 }
}

/** A result whose checks ended with these exit codes. */
export function resultWithChecks(...exitCodes: readonly number[]): Result {
  const run = { ended: 'exit', durationMs: 1, logOffset: 0, logBytes: 0, logSha256: '' } as const
  return {
    ...{
      epoch: 1,
      snapshot: null,
      commit: null,
      ref: null,
      exitCode: 0,
      usage: NO_USAGE,
      model: null,
      logBytes: 0,
      warnings: [],
    },
    ...{ diffStat: { files: 0, insertions: 0, deletions: 0, changes: [] }, executor: 'process', isolation: 'process' },
    durations: { queueMs: 0, prepareMs: 0, runMs: 0, checkMs: 0 },
    agent: { id: 'command', version: null },
    checks: exitCodes.map(exitCode => {
      const [base, result] = [
        { ...run, exitCode: 1 },
        { ...run, exitCode },
      ]
      return { argv: ['true'], verdict: checkVerdict(base, result), base, result }
    }),
  }
}
