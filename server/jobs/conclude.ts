import type { Change, JobRow } from '#server/store/index.ts'
import { type AttemptEnd, type EventBody, type Failure, isEnd, JOB_STATES, type JobState, mayMove } from '#shared/model/index.ts'
import type { StopKind } from './stop.ts'

/** The moves to the end, by way of every state between where there is no arrow: an attempt's own moves may have failed to be written. */
function steps(job: Pick<JobRow, 'state' | 'epoch'>, to: JobState, failure: Failure | null): EventBody[] {
  const { epoch } = job
  const events: EventBody[] = []
  let from: JobState = job.state
  for (const state of JOB_STATES.slice(JOB_STATES.indexOf(job.state) + 1)) {
    if (mayMove(from, to)) break
    events.push({ type: 'job.state', from, to: state, epoch, failure: null })
    from = state
  }
  return [...events, { type: 'job.state', from, to, epoch, failure }]
}

type Timeout = Exclude<StopKind, 'cancel' | 'shutdown' | 'lease'>
const TIMEOUTS: Readonly<Record<Timeout, string>> = {
  run_timeout: 'The agent ran longer than the job allows (timeouts.runMs).',
  silence_timeout: 'The agent printed and reported nothing for longer than the job allows (timeouts.silenceMs).',
  check_timeout: 'A check ran longer than the job allows (timeouts.checkMs).',
}

/**
 * Decides what an attempt's end makes of its job. Pure: the caller writes the change, whose guard refuses it when the job has
 * moved on under a newer epoch.
 */
export function conclude(
  job: Pick<JobRow, 'id' | 'state' | 'epoch' | 'cancelRequested' | 'spec'>,
  end: AttemptEnd,
  at: number,
): Change {
  if (isEnd(job.state)) throw new Error(`Job ${job.id} has already ended as ${job.state}`)
  const settle = (to: JobState, patch: Change['patch'], failure: Failure | null, before: readonly EventBody[] = []): Change => ({
    id: job.id,
    guard: { state: job.state, epoch: job.epoch },
    patch: { ...patch, state: to, ...(isEnd(to) ? { endedAt: at, failure } : {}) },
    events: [...before, ...steps(job, to, failure)],
    at,
    forgetProcesses: true,
  })
  const lose = (reason: string): Change => {
    const lost: EventBody = { type: 'attempt.lost', epoch: job.epoch, reason }
    return settle('queued', {}, null, [lost])
  }

  // A person's no outranks everything but a result that is already complete.
  if (job.cancelRequested && end.kind !== 'result') return settle('cancelled', {}, null)
  switch (end.kind) {
    case 'result': {
      const accepted: EventBody = { type: 'result.accepted', result: end.result }
      const patch = { result: end.result, undelivered: end.result.commit !== null }
      return settle(end.failure ? 'failed' : 'succeeded', patch, end.failure, [accepted])
    }
    case 'failed':
      return settle('failed', {}, end.failure)
    case 'stopped':
      if (end.stop === 'cancel') return settle('cancelled', {}, null)
      if (end.stop === 'shutdown') return lose('The node was stopped.')
      if (end.stop === 'lease') return lose('Its lease ended.')
      return settle('failed', {}, { code: end.stop, detail: TIMEOUTS[end.stop], remedy: 'Give the job more time, or retry it.' })
    case 'lost':
      if (job.epoch < job.spec.maxAttempts) return lose(end.reason)
      return settle(
        'failed',
        {},
        {
          code: 'attempts_exhausted',
          detail: `Attempt ${job.epoch} of ${job.spec.maxAttempts} was lost: ${end.reason}`,
          remedy: 'Find out in the server log what ended the node, then retry the job.',
        },
      )
  }
}
