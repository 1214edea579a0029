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

type Timeout = Exclude<StopKind, 'evict' | 'cancel' | 'shutdown' | 'lease'>
const TIMEOUTS: Readonly<Record<Timeout, string>> = {
  run_timeout: 'The agent ran longer than the job allows (timeouts.runMs).',
  silence_timeout: 'The agent printed and reported nothing for longer than the job allows (timeouts.silenceMs).',
  check_timeout: 'A check ran longer than the job allows (timeouts.checkMs).',
}

/** Attempts that came back undone before the job fails: a node may give back whatever it is given. */
const MOST_RETURNS = 1_000

/** How an attempt ended, as the home of its job sees it. */
export type Ended =
  | AttemptEnd
  /** It never began, or was given back: nothing is lost, and it does not count. */
  | { readonly kind: 'returned'; readonly reason: string }
  /** It is not heard of and may still finish, while the job goes on without it. */
  | { readonly kind: 'aside'; readonly reason: string }

/**
 * Decides what an attempt's end makes of its job. Pure: the caller writes the change, whose guard refuses it when the job has
 * moved on under a newer epoch.
 */
export function conclude(
  job: Pick<JobRow, 'id' | 'state' | 'epoch' | 'losses' | 'cancelRequested' | 'spec'>,
  end: Ended,
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
  const again = (type: 'attempt.lost' | 'attempt.returned' | 'attempt.aside', reason: string, losses: number): Change =>
    settle('queued', losses === job.losses ? {} : { losses }, null, [{ type, epoch: job.epoch, reason }])
  const exhausted = (detail: string): Change =>
    settle(
      'failed',
      {},
      { code: 'attempts_exhausted', detail, remedy: 'Find out in the server log what ended the node, then retry the job.' },
    )

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
      if (end.stop === 'shutdown') return again('attempt.lost', 'The node was stopped.', job.losses)
      if (end.stop === 'lease') return again('attempt.lost', 'Its lease ended.', job.losses)
      return settle('failed', {}, { code: end.stop, detail: TIMEOUTS[end.stop], remedy: 'Give the job more time, or retry it.' })
    case 'lost':
      if (job.losses + 1 < job.spec.maxAttempts) return again('attempt.lost', end.reason, job.losses + 1)
      return exhausted(`${job.losses + 1} attempts of ${job.spec.maxAttempts} were lost, the last one so: ${end.reason}`)
    case 'returned':
      if (job.epoch - job.losses < MOST_RETURNS) return again('attempt.returned', end.reason, job.losses)
      return exhausted(`${job.epoch - job.losses} attempts came back undone, the last one so: ${end.reason}`)
    case 'aside':
      return { ...again('attempt.aside', end.reason, job.losses + 1), setAside: true }
  }
}
