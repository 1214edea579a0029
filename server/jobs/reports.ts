import { type AttemptReport, type EventBody, isAttempt, type JobState, mayMove } from '#shared/model/index.ts'

/** What a worker may tell of an attempt; the rest is for the home to say. */
const TOLD_BY_WORKERS: ReadonlySet<EventBody['type']> = new Set<EventBody['type']>([
  'job.state',
  'attempt.started',
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
): { events: EventBody[]; state: JobState } {
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
  return { events, state }
}
