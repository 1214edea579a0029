import type { Job, JobEvent, JobId, JobState, JobSummary } from '#shared/model/index.ts'

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

/**
 * Takes in a page; what it says of a job replaces what was known. A first page all of which is newer than what is there replaces it: between
 * the two may be jobs that nobody asked for.
 * @param isNext whether it follows what is there; else it is the first
 */
export function withPage(list: JobList, page: JobList, isNext: boolean): JobList {
  const [newest, last] = [list.items[0], page.items.at(-1)]
  if (!isNext && page.nextCursor !== null && newest && last && last.id > newest.id) return page
  const known = new Map(list.items.map(item => [item.id, item]))
  for (const item of page.items) known.set(item.id, item)
  const items = [...known.values()].sort(newestFirst)
  return { items, nextCursor: isNext || list.items.length === 0 ? page.nextCursor : list.nextCursor }
}

/** A job as a line of a list. */
export const summaryOf = ({ spec, result, snapshot, cancelRequested, retryOf, ...job }: Job): JobSummary => ({
  ...job,
  agent: spec.agent,
  priority: spec.priority,
  repository: spec.repository?.path ?? null,
  spec: spec.spec ?? null,
})

/** Puts one job into its place. */
export const withJob = (list: JobList, job: JobSummary): JobList =>
  withPage(list, { items: [job], nextCursor: list.nextCursor }, true)

/** What an event makes of the list. One that is older than what the list says of its job changes nothing. */
export function withEvent(list: JobList, event: JobEvent): JobList {
  const at = list.items.findIndex(({ id }) => id === event.jobId)
  const item = list.items[at]
  if (!item || event.at < item.updatedAt) return list
  const changed = after(item, event)
  return changed === item ? list : { ...list, items: list.items.with(at, changed) }
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
    startedAt: item.startedAt ?? (body.to === 'queued' ? null : at),
    endedAt: isEnd ? at : null,
  }
}

const fits = (state: JobState, filter: StateFilter) =>
  filter === 'all' || (filter === 'active' ? ACTIVE.includes(state) : state === filter)

const ACTIVE: readonly JobState[] = ['queued', 'placing', 'preparing', 'running', 'checking']

/** Jobs in a state, and with every word of a text in their title, id, agent or repository. */
export function matching(items: readonly JobSummary[], filter: StateFilter, text: string): readonly JobSummary[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  return items.filter(item => {
    if (!fits(item.state, filter)) return false
    const haystack = `${item.title} ${item.id} ${item.agent} ${item.repository ?? ''}`.toLowerCase()
    return words.every(word => haystack.includes(word))
  })
}

/** What asks the node for the jobs of a filter. */
export const queryOf = (filter: StateFilter): { active?: 'true'; state?: JobState } =>
  filter === 'all' ? {} : filter === 'active' ? { active: 'true' } : { state: filter }

/** The ids of jobs that events bring under a filter and the list does not know. */
export function unknownIn(list: JobList, events: readonly JobEvent[], filter: StateFilter): readonly JobId[] {
  const states = new Map<JobId, JobState>()
  for (const { jobId, body } of events) {
    if (body.type === 'job.created') states.set(jobId, 'queued')
    else if (body.type === 'job.state') states.set(jobId, body.to)
  }
  for (const { id } of list.items) states.delete(id)
  return [...states].filter(([, state]) => fits(state, filter)).map(([id]) => id)
}
