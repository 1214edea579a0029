import type { EventBody, JobEvent, JobSummary } from '#shared/model/index.ts'
import { hasEnded } from './job-states.ts'

export type Question = Pick<Extract<EventBody, { type: 'permission.requested' }>, 'requestId' | 'title' | 'detail' | 'options'>

/** What the editor knows of a job. */
export interface JobEntry {
  readonly summary: JobSummary
  /** Steps of the agent's plan, once it has one. */
  readonly progress: { readonly done: number; readonly total: number } | null
  /** What the agent does now. */
  readonly doing: string | null
  /** Name of the node it runs on, when that is another one. */
  readonly node: string | null
  /** What the agent asks and nobody answered yet. */
  readonly question: Question | null
  /** Whether there are changes to review; null while unknown. */
  readonly hasChanges: boolean | null
}

export const entryOf = (summary: JobSummary, hasChanges: boolean | null = null): JobEntry => ({
  summary,
  progress: null,
  doing: null,
  node: null,
  question: null,
  hasChanges,
})

/** The entry of a job that was just accepted. */
export function created({ jobId, at, body }: JobEvent & { body: Extract<EventBody, { type: 'job.created' }> }): JobEntry {
  return entryOf({
    id: jobId,
    state: 'queued',
    epoch: 0,
    title: body.title,
    createdAt: at,
    updatedAt: at,
    startedAt: null,
    endedAt: null,
    failure: null,
    agent: body.agent,
    priority: body.priority,
    repository: null,
    spec: body.spec ?? null,
  })
}

/** What an event makes of an entry; the same entry when it makes no difference to what is shown. */
export function after(entry: JobEntry, { at, body }: Pick<JobEvent, 'at' | 'body'>): JobEntry {
  switch (body.type) {
    case 'job.state':
      return moved(entry, at, body)
    case 'attempt.placed':
      return { ...entry, node: body.name }
    case 'attempt.lost':
    case 'attempt.returned':
      return { ...entry, node: null, question: null, doing: null }
    case 'agent.plan': {
      const done = body.entries.filter(({ status }) => status === 'completed').length
      return { ...entry, progress: { done, total: body.entries.length } }
    }
    case 'agent.tool':
      return body.status === 'in_progress' || body.status === 'pending' ? { ...entry, doing: body.title } : entry
    case 'permission.requested': {
      const { requestId, title, detail, options } = body
      return { ...entry, question: { requestId, title, detail, options } }
    }
    case 'permission.answered':
      return entry.question?.requestId === body.requestId ? { ...entry, question: null } : entry
    case 'result.accepted':
      return { ...entry, hasChanges: body.result.commit !== null }
    default:
      return entry
  }
}

function moved(entry: JobEntry, at: string, { to, epoch, failure }: Extract<EventBody, { type: 'job.state' }>): JobEntry {
  const { summary } = entry
  const isOver = hasEnded(to)
  const hasStarted = to === 'running' && summary.startedAt === null
  return {
    ...entry,
    summary: {
      ...summary,
      state: to,
      epoch,
      failure,
      updatedAt: at,
      ...(hasStarted ? { startedAt: at } : {}),
      ...(isOver ? { endedAt: at } : {}),
    },
    ...(isOver ? { question: null, doing: null } : {}),
    ...(to === 'cancelled' || to === 'failed' ? { hasChanges: entry.hasChanges ?? false } : {}),
  }
}

/** Newest first; what was made in the same moment by its id, so that the order is one. */
export function newestFirst(a: JobSummary, b: JobSummary): number {
  if (a.createdAt !== b.createdAt) return a.createdAt > b.createdAt ? -1 : 1
  return a.id === b.id ? 0 : a.id > b.id ? -1 : 1
}
