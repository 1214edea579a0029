import type { Job, JobEvent, JobId, JobState, JobSummary } from '#shared/model/index.ts'
import type { Changes } from './changes.ts'
import { after, created, entryOf, type JobEntry, newestFirst } from './job-entry.ts'
import { GROUP_OF, type Group, hasEnded, STATES_OF } from './job-states.ts'
import { createSignal, type Listen } from './signal.ts'

/** Most children a row may have, the one for older jobs among them. */
export const PAGE = 199
/** Pages of events that are read to catch up with a job that runs already. */
const MOST_EVENT_PAGES = 5

/** What the mirror asks of the orchestrator. */
export interface JobSource {
  list(query: { state: JobState; cursor?: string; limit: number }): Promise<{ items: JobSummary[]; nextCursor: string | null }>
  get(id: JobId): Promise<Job>
  events(id: JobId, afterEvent: number): Promise<{ items: JobEvent[]; nextCursor: string | null }>
}

export interface Jobs {
  /** Jobs of a group as far as they were read, newest first. */
  inGroup(group: Group): readonly JobEntry[]
  all(): Iterable<JobEntry>
  get(id: JobId): JobEntry | undefined
  /** Whether the orchestrator has older ones. */
  hasMore(group: Group): boolean
  /** Whether the first page is there. */
  isRead(group: Group): boolean
  /** Reads the next page. @throws {BackendError} */
  readMore(group: Group): Promise<void>
  /** Forgets everything and reads what runs and what waits. @throws {BackendError} */
  reset(): Promise<void>
  take(event: JobEvent): void
  /** A job as it was just read from the orchestrator. */
  learn(job: Job): void
  forget(id: JobId): void
  readonly onEnded: Listen<JobEntry>
  readonly onQuestion: Listen<JobEntry>
}

interface Shelf {
  /** Newest first. */
  entries: JobEntry[]
  /** undefined: nothing read yet; null: all is read. */
  cursor: string | null | undefined
}

/** A mirror of the orchestrator's jobs: a page at a time of each state, kept up by events. */
export function createJobs(source: JobSource, changes: Changes): Jobs {
  const entries = new Map<JobId, JobEntry>()
  const shelves = new Map<JobState, Shelf>()
  const asked = new Set<JobId>()
  const ended = createSignal<JobEntry>()
  const question = createSignal<JobEntry>()

  function shelf(state: JobState): Shelf {
    const found = shelves.get(state) ?? { entries: [], cursor: undefined }
    shelves.set(state, found)
    return found
  }
  function place(entry: JobEntry): void {
    const { entries: list } = shelf(entry.summary.state)
    const at = positionOf(list, entry.summary)
    if (list[at]?.summary.id === entry.summary.id) list[at] = entry
    else list.splice(at, 0, entry)
    entries.set(entry.summary.id, entry)
  }
  function takeOut({ summary }: JobEntry): void {
    const { entries: list } = shelf(summary.state)
    const at = positionOf(list, summary)
    if (list[at]?.summary.id === summary.id) list.splice(at, 1)
    entries.delete(summary.id)
  }
  /** Marks the row; and its group, or all, when it came, went or changed its group. */
  function put(entry: JobEntry): void {
    const { id, state } = entry.summary
    const before = entries.get(id)
    if (before) takeOut(before)
    place(entry)
    const from = before && GROUP_OF[before.summary.state]
    if (from === GROUP_OF[state]) return changes.mark(id)
    if (from) changes.mark(from)
    changes.mark(GROUP_OF[state])
  }
  /** A job that is not on a page that was read, and that something happens to. */
  async function meet(id: JobId): Promise<void> {
    if (asked.has(id)) return
    asked.add(id)
    try {
      learn(await source.get(id))
    } catch {
      // It was removed meanwhile, or the server is away: then all is read anew.
    } finally {
      asked.delete(id)
    }
  }
  function learn(job: Job): void {
    const before = entries.get(job.id)
    const hasChanges = job.result ? job.result.commit !== null : hasEnded(job.state) ? false : null
    put({ ...(before ?? entryOf(summaryOf(job))), summary: summaryOf(job), hasChanges })
  }
  async function readPage(state: JobState): Promise<void> {
    const { cursor } = shelf(state)
    if (cursor === null) return
    const page = await source.list({ state, limit: PAGE, ...(cursor === undefined ? {} : { cursor }) })
    for (const summary of page.items) {
      const before = entries.get(summary.id)
      if (before && before.summary.updatedAt >= summary.updatedAt) continue
      if (before) takeOut(before)
      place(before ? { ...before, summary } : entryOf(summary))
    }
    shelf(state).cursor = page.nextCursor
    changes.mark(GROUP_OF[state])
  }
  /** What an agent asked or planned before the editor was there. */
  async function catchUp(id: JobId): Promise<void> {
    let seen = 0
    for (let page = 0; page < MOST_EVENT_PAGES; page += 1) {
      const { items, nextCursor } = await source.events(id, seen)
      for (const event of items) if (event.body.type !== 'job.state') apply(event, false)
      seen = items.at(-1)?.n ?? seen
      if (nextCursor === null) return
    }
  }
  function apply(event: JobEvent, tells: boolean): void {
    const before = entries.get(event.jobId)
    if (!before) return
    const now = after(before, event)
    if (now === before) return
    put(now)
    if (now.question && now.question !== before.question) question.emit(now)
    if (tells && hasEnded(now.summary.state) && !hasEnded(before.summary.state)) ended.emit(now)
  }

  return {
    inGroup: group => STATES_OF[group].flatMap(state => shelf(state).entries),
    all: () => entries.values(),
    get: id => entries.get(id),
    hasMore: group => STATES_OF[group].some(state => shelf(state).cursor !== null),
    isRead: group => STATES_OF[group].every(state => shelf(state).cursor !== undefined),
    async readMore(group) {
      await Promise.all(STATES_OF[group].map(readPage))
    },
    async reset() {
      entries.clear()
      shelves.clear()
      changes.mark(null)
      await Promise.all([...STATES_OF.active, ...STATES_OF.queued].map(readPage))
      const running = [...shelf('running').entries]
      await Promise.all(running.slice(0, PAGE).map(({ summary }) => catchUp(summary.id).catch(() => {})))
    },
    take(event) {
      const { body } = event
      if (body.type === 'job.created') put(created({ ...event, body }))
      else if (entries.has(event.jobId)) apply(event, true)
      else if (body.type === 'job.state' || body.type === 'result.accepted') void meet(event.jobId)
    },
    learn,
    forget(id) {
      const entry = entries.get(id)
      if (!entry) return
      takeOut(entry)
      changes.mark(GROUP_OF[entry.summary.state])
    },
    onEnded: ended.listen,
    onQuestion: question.listen,
  }
}

/** Where a job stands in a list, or would. */
function positionOf(list: readonly JobEntry[], summary: JobSummary): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >> 1
    const entry = list[middle]
    if (entry && newestFirst(entry.summary, summary) < 0) low = middle + 1
    else high = middle
  }
  return low
}

function summaryOf(job: Job): JobSummary {
  const { id, state, epoch, title, createdAt, updatedAt, startedAt, endedAt, failure, spec } = job
  const repository = spec.repository?.path ?? null
  return { id, state, epoch, title, createdAt, updatedAt, startedAt, endedAt, failure, agent: spec.agent, priority: spec.priority, repository }
}
