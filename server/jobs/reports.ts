import {
  type AttemptEnd,
  type AttemptReport,
  type EventBody,
  isAttempt,
  type JobSpec,
  type JobState,
  mayMove,
  type Timeouts,
} from '#shared/model/index.ts'

/** What a worker may tell of one attempt, characters: more than an honest one passes on of its agent. */
export const MOST_TOLD = 128 * 1024 * 1024
/** Leases that an attempt may need for all that has no limit of its own: shipping, checking out, cleaning up. */
const LEASES_FOR_THE_REST = 10

/** What a worker may tell of an attempt; the rest is for the home to say. */
const TOLD_BY_WORKERS: ReadonlySet<EventBody['type']> = new Set<EventBody['type']>([
  'job.state',
  'attempt.started',
  'attempt.image',
  'attempt.process',
  'check.started',
  'check.ended',
  'agent.message',
  'agent.thought',
  'agent.plan',
  'agent.tool',
  'agent.diff',
  'agent.usage',
  'model.usage',
  'permission.requested',
  'permission.answered',
  'result.committed',
  'warning',
])

/** What of a report may be told by a worker, is of this attempt, and leads from where the job is: a worker may say anything. */
export function believable(
  report: Pick<AttemptReport, 'events'>,
  job: { readonly state: JobState; readonly epoch: number },
): { events: EventBody[]; state: JobState; refused: number } {
  let { state } = job
  const events: EventBody[] = []
  for (const { body } of report.events) {
    if (!TOLD_BY_WORKERS.has(body.type) || ('epoch' in body && body.epoch !== job.epoch)) continue
    if (body.type === 'job.state') {
      if (body.from !== state || !isAttempt(body.to) || !mayMove(state, body.to)) continue
      state = body.to
    }
    events.push(body)
  }
  return { events, state, refused: report.events.length - events.length }
}

/** Counts what a worker tells of one attempt. @returns whether that is still within `most` characters */
export function createEar(most: number): (report: Pick<AttemptReport, 'events'>) => boolean {
  let told = 0
  return ({ events }) => {
    for (const { body } of events) told += JSON.stringify(body).length
    return told <= most
  }
}

/** How long an attempt takes at most when its worker keeps the limits of the job, ms. */
export function longestMs({ setup, checks }: Pick<JobSpec, 'setup' | 'checks'>, timeouts: Timeouts, leaseMs: number): number {
  // Setup runs before the agent and before the checks, which run on the snapshot and on the result.
  const commands = 3 * setup.length + 2 * checks.length
  // It may wait for a place there as long as a job may wait at all.
  return timeouts.queueMs + timeouts.runMs + commands * timeouts.checkMs + LEASES_FOR_THE_REST * leaseMs
}

/** What of an end does not fit the job or itself; null when nothing does not. The words of a worker are all the home has of its checks. */
export function contradiction({ result, failure }: Extract<AttemptEnd, { kind: 'result' }>, spec: JobSpec): string | null {
  const wanted = spec.checks.map(argv => JSON.stringify(argv))
  const told = result.checks.map(({ argv }) => JSON.stringify(argv))
  const isRed = result.checks.some(({ result: { exitCode } }) => exitCode !== 0)
  if (failure === null && wanted.join() !== told.join())
    return `It tells of ${told.length} checks, and the job has ${wanted.length}.`
  if (failure === null && isRed) return 'It calls a result good of which it says that a check is red.'
  if (spec.repository === undefined && result.commit !== null) return 'It has a commit of a job without a repository.'
  return null
}
