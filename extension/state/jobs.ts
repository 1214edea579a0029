import type { Job, JobEvent, JobId, JobState, JobSummary } from '#shared/model/index.ts'
import type { Changes } from './changes.ts'
import { after, created, entryOf, type JobEntry } from './job-entry.ts'
import { createJobIndex } from './job-index.ts'
import { NO_SPEC, type SpecKey, specKeyOf, specOfKey } from './job-specs.ts'
import { GROUP_OF, GROUPS, type Group, hasEnded, STATES_OF } from './job-states.ts'
import { createSignal, type Listen } from './signal.ts'
import { createSpecTotals, type SpecTotal } from './spec-totals.ts'

/** Jobs that are asked for at once. */
export const PAGE = 199
/** Pages of events that are read to catch up with a job that runs already. */
const MOST_EVENT_PAGES = 5
/** Jobs that are asked for one by one at a time; of a flood the rest is shown by what events say. */
const MOST_ASKED = 50
/** Specs that are asked for at once, and how often. */
const SPEC_PAGE = 1000
const MOST_SPEC_PAGES = 5

/** Of which jobs a list is. */
export type Listed = { readonly state: JobState } | { readonly spec: string; readonly repository: string }

/** What the mirror asks of the orchestrator. */
export interface JobSource {
  list(query: Listed & { cursor?: string; limit: number }): Promise<{ items: JobSummary[]; nextCursor: string | null }>
  get(id: JobId): Promise<Job>
  events(id: JobId, afterEvent: number): Promise<{ items: JobEvent[]; nextCursor: string | null }>
  /** Specs that jobs are for. */
  specs(query: { cursor?: string; limit: number }): Promise<{ items: SpecTotal[]; nextCursor: string | null }>
}

export interface Jobs {
  /** Jobs of a group as far as they were read, newest first. */
  inGroup(group: Group): readonly JobEntry[]
  /** Specs that jobs are for: all once they were asked for, before that those of jobs that were read; in no order. */
  specs(): Iterable<SpecKey>
  /** Asks which specs there are jobs for, once. Where the orchestrator cannot say, they are known from jobs alone. */
  readSpecs(): Promise<void>
  /** Jobs that a spec has, whether they were read or not; null where that is not known. */
  totalOf(spec: SpecKey): number | null
  /** Jobs for a spec as far as they were read, newest first. */
  ofSpec(spec: SpecKey): readonly JobEntry[]
  get(id: JobId): JobEntry | undefined
  /** Whether the orchestrator has older ones. */
  hasMore(group: Group): boolean
  /** Whether the first page is there. */
  isRead(group: Group): boolean
  /** Reads the next page. @throws {BackendError} */
  readMore(group: Group): Promise<void>
  /** Pages of a spec that were read for it: so many pages from the newest are whole. */
  pagesOf(spec: SpecKey): number
  /** Whether the orchestrator may have jobs for a spec that were not read. */
  hasMoreOf(spec: SpecKey): boolean
  /** Reads the next page of a spec. @throws {BackendError} */
  readMoreOf(spec: SpecKey): Promise<void>
  /** Forgets everything and reads the first page of each state. @throws {BackendError} */
  reset(): Promise<void>
  take(event: JobEvent): void
  /** Has a job's row drawn again, for what is known of it elsewhere. */
  touch(id: JobId): void
  /** An entry took the place of the one before, at once; those who draw are told when there is time for it, by the changes. */
  readonly onPut: Listen<{ readonly before: JobEntry | undefined; readonly entry: JobEntry }>
  /** A page of a spec was read, whether there was anything new in it or not. */
  readonly onPage: Listen<SpecKey>
  /** A job was seen to have ended: told once, and only of those whose end was watched. */
  readonly onEnded: Listen<JobEntry>
  readonly onQuestion: Listen<JobEntry>
}

/** A mirror of the orchestrator's jobs: a page at a time of each state, kept up by events. */
export function createJobs(source: JobSource, changes: Changes): Jobs {
  const entries = new Map<JobId, JobEntry>()
  const byGroup = createJobIndex(({ state }) => GROUP_OF[state])
  const bySpec = createJobIndex(specKeyOf)
  /** Where the next page of a state begins; null: all is read; nothing: none is read. */
  const cursors = new Map<JobState, string | null>()
  /** The same of a spec, and how many pages of it were read. */
  const specPages = new Map<SpecKey, { readonly cursor: string | null; readonly pages: number }>()
  const totals = createSpecTotals()
  const asked = new Set<JobId>()
  const puts = createSignal<{ before: JobEntry | undefined; entry: JobEntry }>()
  const paged = createSignal<SpecKey>()
  const ended = createSignal<JobEntry>()
  const question = createSignal<JobEntry>()
  /** Rises with every reset, so that an answer to a question from before is dropped. */
  let generation = 0

  function put(entry: JobEntry): void {
    const { id } = entry.summary
    const before = entries.get(id)
    byGroup.put(before, entry)
    bySpec.put(before, entry)
    entries.set(id, entry)
    totals.move(before?.summary, entry.summary)
    puts.emit({ before, entry })
    changes.mark(id)
  }
  /** A job that something happens to, and of which more is to be known than events say. */
  async function meet(id: JobId): Promise<void> {
    if (asked.has(id) || asked.size >= MOST_ASKED) return
    asked.add(id)
    const begun = generation
    try {
      const job = await source.get(id)
      if (begun === generation) learn(job)
    } catch {
      // It was removed meanwhile, or the server is away: then all is read anew.
    } finally {
      asked.delete(id)
    }
  }
  function learn(job: Job): void {
    const before = entries.get(job.id)
    const summary = summaryOf(job)
    const hasChanges = job.result ? job.result.commit !== null : (before?.hasChanges ?? null)
    if (!before) put(entryOf(summary, hasChanges))
    else if (before.summary.updatedAt <= summary.updatedAt) put({ ...before, summary, hasChanges })
    else put({ ...before, summary: { ...before.summary, repository: summary.repository } })
  }
  async function readPage(state: JobState): Promise<void> {
    const cursor = cursors.get(state)
    if (cursor === null) return
    const begun = generation
    const page = await source.list({ state, limit: PAGE, ...(cursor === undefined ? {} : { cursor }) })
    if (begun !== generation || cursors.get(state) !== cursor) return
    page.items.forEach(putListed)
    cursors.set(state, page.nextCursor)
  }
  function putListed(summary: JobSummary): void {
    const before = entries.get(summary.id)
    if (before && before.summary.updatedAt >= summary.updatedAt) return
    put(before ? { ...before, summary } : entryOf(summary))
  }
  const hasMore = (group: Group): boolean => STATES_OF[group].some(state => cursors.get(state) !== null)
  function hasMoreOf(spec: SpecKey): boolean {
    // What names no work tree is in no list of a spec. Once every state is read there is nothing left to ask for.
    if (spec === NO_SPEC || specOfKey(spec).repository === '') return false
    const total = totals.of(spec)
    if (total !== undefined && total <= bySpec.list(spec).length) return false
    return specPages.get(spec)?.cursor !== null && GROUPS.some(hasMore)
  }
  async function readSpecs(): Promise<void> {
    if (totals.isRead) return
    const begun = generation
    const items: SpecTotal[] = []
    let cursor: string | null = null
    for (let page = 0; page < MOST_SPEC_PAGES && (page === 0 || cursor !== null); page += 1) {
      const query: Parameters<JobSource['specs']>[0] = { limit: SPEC_PAGE, ...(cursor === null ? {} : { cursor }) }
      // One of an older version knows no such question.
      const read: Awaited<ReturnType<JobSource['specs']>> | null = await source.specs(query).catch(() => null)
      items.push(...(read?.items ?? []))
      cursor = read?.nextCursor ?? null
    }
    if (begun === generation && !totals.isRead) totals.learn(items)
  }
  async function readMoreOf(spec: SpecKey): Promise<void> {
    if (!hasMoreOf(spec)) return
    const last = specPages.get(spec)
    const begun = generation
    const { feature, repository } = specOfKey(spec)
    const cursor = last?.cursor ?? null
    const page = await source.list({ spec: feature, repository, limit: PAGE, ...(cursor === null ? {} : { cursor }) })
    if (begun !== generation || specPages.get(spec) !== last) return
    page.items.forEach(putListed)
    specPages.set(spec, { cursor: page.nextCursor, pages: (last?.pages ?? 0) + 1 })
    paged.emit(spec)
    // Whoever draws is told, though nothing in the page was new.
    const [newest] = bySpec.list(spec)
    if (newest) changes.mark(newest.summary.id)
  }
  /** What an agent asked or planned before the editor was there. */
  async function catchUp(id: JobId): Promise<void> {
    let seen = 0
    const begun = generation
    for (let page = 0; page < MOST_EVENT_PAGES; page += 1) {
      const { items, nextCursor } = await source.events(id, seen)
      if (begun !== generation) return
      for (const event of items) if (event.body.type !== 'job.state') apply(event)
      seen = items.at(-1)?.n ?? seen
      if (nextCursor === null) return
    }
  }
  function apply(event: JobEvent): void {
    const before = entries.get(event.jobId)
    if (!before) return
    const now = after(before, event)
    if (now === before) return
    put(now)
    if (now.question && now.question !== before.question) question.emit(now)
    if (hasEnded(now.summary.state) && !hasEnded(before.summary.state)) ended.emit(now)
  }

  return {
    inGroup: byGroup.list,
    specs: () => new Set([...totals.keys(), ...bySpec.keys()]),
    readSpecs,
    totalOf: spec => totals.of(spec) ?? null,
    ofSpec: bySpec.list,
    get: id => entries.get(id),
    hasMore,
    pagesOf: spec => specPages.get(spec)?.pages ?? 0,
    hasMoreOf,
    readMoreOf,
    isRead: group => STATES_OF[group].every(state => cursors.has(state)),
    async readMore(group) {
      await Promise.all(STATES_OF[group].map(readPage))
    },
    async reset() {
      generation += 1
      entries.clear()
      cursors.clear()
      specPages.clear()
      totals.clear()
      byGroup.clear()
      bySpec.clear()
      const begun = generation
      await Promise.all(GROUPS.flatMap(group => STATES_OF[group]).map(readPage))
      if (begun !== generation) return
      changes.mark(null)
      await Promise.all(
        byGroup
          .list('active')
          .slice(0, PAGE)
          .map(({ summary }) => catchUp(summary.id).catch(() => {})),
      )
    },
    take(event) {
      const { body } = event
      if (entries.has(event.jobId)) apply(event)
      else if (body.type === 'job.created') {
        totals.begin(event.jobId)
        put(created({ ...event, body }))
        void meet(event.jobId)
      } else if (body.type === 'job.state') void meet(event.jobId)
    },
    touch: id => changes.mark(id),
    onPut: puts.listen,
    onPage: paged.listen,
    onEnded: ended.listen,
    onQuestion: question.listen,
  }
}

function summaryOf(job: Job): JobSummary {
  const { id, state, epoch, title, createdAt, updatedAt, startedAt, endedAt, failure, spec } = job
  const repository = spec.repository?.path ?? null
  return {
    id,
    state,
    epoch,
    title,
    createdAt,
    updatedAt,
    startedAt,
    endedAt,
    failure,
    agent: spec.agent,
    priority: spec.priority,
    repository,
    spec: spec.spec ?? null,
  }
}
