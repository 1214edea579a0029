import type { JobEvent, JobId, JobState, JobSummary } from '#shared/model/index.ts'

/** What a list is asked for: all, those that are not over, or those in one state. */
export type StateFilter = 'all' | 'active' | JobState

export interface JobList {
  /** Newest first. */
  readonly items: readonly JobSummary[]
  /** Where the next page begins; null: there is none. */
  readonly nextCursor: string | null
}
export const EMPTY: JobList = { items: [], nextCursor: null }

/** Ids begin with the time, so the newest sorts last. */
const newestFirst = (a: JobSummary, b: JobSummary) => (a.id < b.id ? 1 : a.id > b.id ? -1 : 0)

/** Takes in a page; what it says of a job replaces what was known. @param isNext whether it follows what is there; else it is the first */
export function withPage(list: JobList, page: JobList, isNext: boolean): JobList {
  const known = new Map(list.items.map(item => [item.id, item]))
  for (const item of page.items) known.set(item.id, item)
  const items = [...known.values()].sort(newestFirst)
  return { items, nextCursor: isNext || list.items.length === 0 ? page.nextCursor : list.nextCursor }
}

/** What an event makes of the list. `isUnknown`: it is of a job that is not in the list, which has to be asked for. */
export function withEvent(list: JobList, event: JobEvent): { readonly list: JobList; readonly isUnknown: boolean } {
  const at = list.items.findIndex(({ id }) => id === event.jobId)
  const item = list.items[at]
  if (!item) return { list, isUnknown: event.body.type === 'job.created' || event.body.type === 'job.state' }
  const changed = after(item, event)
  return { list: changed === item ? list : { ...list, items: list.items.with(at, changed) }, isUnknown: false }
}

function after(item: JobSummary, { at, body }: JobEvent): JobSummary {
  if (body.type === 'attempt.started') return { ...item, agent: body.agent, epoch: body.epoch, updatedAt: at }
  if (body.type !== 'job.state') return item
  const isEnd = body.to === 'succeeded' || body.to === 'failed' || body.to === 'cancelled'
  return {
    ...item,
    state: body.to,
    epoch: body.epoch,
    failure: body.failure,
    updatedAt: at,
    startedAt: item.startedAt ?? (body.to === 'running' ? at : null),
    endedAt: isEnd ? at : null,
  }
}

const ACTIVE: readonly JobState[] = ['queued', 'placing', 'preparing', 'running', 'checking']

/** Jobs in a state, and with every word of a text in their title, id, agent or repository. */
export function matching(items: readonly JobSummary[], filter: StateFilter, text: string): readonly JobSummary[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  return items.filter(item => {
    if (filter === 'active' ? !ACTIVE.includes(item.state) : filter !== 'all' && item.state !== filter) return false
    const haystack = `${item.title} ${item.id} ${item.agent} ${item.repository ?? ''}`.toLowerCase()
    return words.every(word => haystack.includes(word))
  })
}

/** What asks the node for the jobs of a filter. */
export const queryOf = (filter: StateFilter): { active?: 'true'; state?: JobState } =>
  filter === 'all' ? {} : filter === 'active' ? { active: 'true' } : { state: filter }

/** The ids of jobs that events told of and the list does not know, each once. */
export const unknownIn = (list: JobList, events: readonly JobEvent[]): readonly JobId[] => [
  ...new Set(events.filter(event => withEvent(list, event).isUnknown).map(({ jobId }) => jobId)),
]
