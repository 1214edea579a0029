import type { Clock } from '#server/lib/clock.ts'
import type {
  AwayRow,
  Change,
  Dismissal,
  HostedKey,
  HostedRow,
  JobPatch,
  JobRow,
  JobSpecRow,
  Lesson,
  LogRow,
  NewJob,
  ProcessRow,
  Store,
} from '#server/store/index.ts'
import { checkMoves } from '#server/store/sqlite/change.ts'
import { ApiError } from '#shared/contract/index.ts'
import { type EventBody, isAttempt, isEnd, type JobEvent, type JobId, type PlacementRecord } from '#shared/model/index.ts'

interface StoredJob {
  readonly seq: number
  row: JobRow
  lastN: number
  processes: ProcessRow[]
  readonly away: Map<number, { row: AwayRow; isAside: boolean }>
  placements: Map<number, PlacementRecord>
  log: LogRow | null
  readonly wording: string | null
}

interface StoredHosted {
  row: HostedRow
  readonly events: { n: number; at: string; body: EventBody }[]
}

/** What is on disk: all of it durable, because a write reaches it whole and when it is told of. */
export interface Tables {
  readonly jobs: Map<JobId, StoredJob>
  readonly idempotency: Map<string, { id: JobId; bodyHash: string; at: number }>
  readonly hosted: Map<string, StoredHosted>
  readonly dismissals: Map<string, Dismissal>
  readonly learned: Lesson[]
  events: JobEvent[]
  lastSeq: number
  lastJob: number
}

export const emptyTables = (): Tables => ({
  jobs: new Map(),
  idempotency: new Map(),
  hosted: new Map(),
  dismissals: new Map(),
  learned: [],
  events: [],
  lastSeq: 0,
  lastJob: 0,
})

/** Longest wait of a write that need not be durable at once, ms. */
const SOON_MS = 50

interface Waiting {
  readonly work: (batch: Batch) => unknown
  readonly fulfil: (value: never) => void
  readonly reject: (reason: unknown) => void
}

interface Batch {
  readonly events: JobEvent[]
  readonly hosted: HostedKey[]
  woken: boolean
}

const dismissalName = ({ worker, jobId, epoch }: Omit<Dismissal, 'since'>): string => `${worker}/${jobId}/${epoch}`
const nameOf = ({ home, jobId, epoch }: HostedKey): string => `${home}/${jobId}/${epoch}`

/**
 * A store in memory that keeps the promises of one on disk.
 * @param deps.commit makes what it is given durable, whole, some time later
 */
export function memoryStore(deps: { tables: Tables; clock: Pick<Clock, 'after'>; commit(apply: () => () => void): void }): Store {
  const { tables, clock, commit } = deps
  const eventListeners = new Set<(events: readonly JobEvent[]) => void>()
  const queueListeners = new Set<() => void>()
  const hostedListeners = new Set<(key: HostedKey) => void>()
  let waiting: Waiting[] = []
  let isCommitting = false
  let isClosed = false
  let cancelSoon: (() => void) | null = null
  let transactions = 0

  function flush(): void {
    cancelSoon?.()
    cancelSoon = null
    if (isCommitting || waiting.length === 0) return
    isCommitting = true
    // Asked for in the same turn: what waits when the write is done is written, as a group commit does.
    commit(() => {
      isCommitting = false
      return apply()
    })
  }

  /** Does what waits. @returns tells of it */
  function apply(): () => void {
    const writes = waiting
    waiting = []
    if (writes.length === 0) return () => {}
    transactions += 1
    const batch: Batch = { events: [], hosted: [], woken: false }
    const outcomes = writes.map(({ work, fulfil, reject }) => {
      try {
        const value = work(batch) as never
        return () => fulfil(value)
      } catch (error) {
        return () => reject(error)
      }
    })
    return () => {
      if (batch.events.length > 0) tellAll(eventListeners, batch.events)
      if (batch.woken) tellAll(queueListeners, undefined)
      for (const key of batch.hosted) tellAll(hostedListeners, key)
      for (const outcome of outcomes) outcome()
    }
  }

  function tellAll<T>(listeners: Set<(value: T) => void>, value: T): void {
    for (const listener of listeners) {
      try {
        listener(value)
      } catch {
        // What is on disk stays true whatever a listener makes of it.
      }
    }
  }

  function write<T>(work: (batch: Batch) => T, { durable = true }: { durable?: boolean | undefined } = {}): Promise<T> {
    if (isClosed) return Promise.reject(new Error('The store is closed'))
    return new Promise<T>((fulfil, reject) => {
      waiting.push({ work, fulfil, reject })
      if (durable) flush()
      else if (!isCommitting) cancelSoon ??= clock.after(SOON_MS, flush)
    })
  }

  function subscribe<T>(listeners: Set<T>, listener: T): () => void {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  function find(id: JobId): StoredJob {
    const found = tables.jobs.get(id)
    if (found) return found
    throw new ApiError('not_found', `There is no job ${id}.`)
  }

  function record(batch: Batch, job: StoredJob, bodies: readonly EventBody[], at: number): void {
    for (const body of bodies) {
      job.lastN += 1
      tables.lastSeq += 1
      const event = { seq: tables.lastSeq, jobId: job.row.id, n: job.lastN, at: new Date(at).toISOString(), body }
      tables.events.push(event)
      batch.events.push(event)
    }
  }

  function admit(batch: Batch, { job, idempotency, events, wording }: NewJob): Awaited<ReturnType<Store['admit']>> {
    const earlier = idempotency && tables.idempotency.get(idempotency.key)
    if (earlier && earlier.bodyHash !== idempotency.bodyHash) return { outcome: 'conflict' }
    if (earlier) return { outcome: 'repeated', id: earlier.id, state: find(earlier.id).row.state }
    if (tables.jobs.has(job.id)) throw new Error(`There is a job ${job.id} already`)
    tables.lastJob += 1
    const stored: StoredJob = {
      ...{ seq: tables.lastJob, row: job, lastN: 0, processes: [], away: new Map(), placements: new Map(), log: null },
      wording: wording ?? tables.jobs.get(job.retryOf ?? '')?.wording ?? null,
    }
    tables.jobs.set(job.id, stored)
    if (idempotency) tables.idempotency.set(idempotency.key, { id: job.id, bodyHash: idempotency.bodyHash, at: job.createdAt })
    record(batch, stored, events, job.createdAt)
    if (job.state === 'queued') batch.woken = true
    return { outcome: 'accepted', id: job.id, state: job.state }
  }

  function claim(batch: Batch, limit: number, at: number): JobRow[] {
    const queued = [...tables.jobs.values()].filter(({ row }) => row.state === 'queued')
    queued.sort((a, b) => b.row.priority - a.row.priority || a.seq - b.seq)
    return queued.slice(0, limit).map(job => {
      const epoch = job.row.epoch + 1
      job.row = { ...job.row, state: 'placing', epoch, startedAt: job.row.startedAt ?? at, updatedAt: at }
      record(batch, job, [{ type: 'job.state', from: 'queued', to: 'placing', epoch, failure: null }], at)
      return job.row
    })
  }

  function change(batch: Batch, wanted: Change): boolean {
    const job = tables.jobs.get(wanted.id)
    if (!job || job.row.state !== wanted.guard.state || job.row.epoch !== wanted.guard.epoch) return false
    const isEnding = wanted.patch.state !== undefined && isEnd(wanted.patch.state) && !isEnd(wanted.guard.state)
    const patch: JobPatch = isEnding ? { endedAt: wanted.at, ...wanted.patch } : wanted.patch
    job.row = { ...job.row, ...patch, updatedAt: wanted.at }
    if (wanted.forgetProcesses) job.processes = []
    const current = job.away.get(wanted.guard.epoch)
    if (wanted.setAside && current) current.isAside = true
    else if (wanted.forgetProcesses) dismiss(job, wanted)
    const { process, away, placement } = wanted
    const isOther = (row: ProcessRow) => row.epoch !== process?.epoch || row.purpose !== process.purpose
    if (process) job.processes = [...job.processes.filter(isOther), process]
    if (away) job.away.set(away.epoch, { row: away, isAside: false })
    if (wanted.lesson) tables.learned.push(wanted.lesson)
    if (placement) job.placements.set(placement.epoch, placement)
    record(batch, job, wanted.events, wanted.at)
    if (patch.state === 'queued') batch.woken = true
    return true
  }

  /** Attempts on other nodes that are over for their job: all of an ended one, else the one it moves on from. */
  function dismiss(job: StoredJob, { guard, patch, at }: Change): void {
    const isOver = patch.state !== undefined && isEnd(patch.state)
    for (const [epoch, { row, isAside }] of job.away) if (isOver || (epoch === guard.epoch && !isAside)) drop(job, row, at)
  }

  function drop(job: StoredJob, { worker, jobId, epoch }: AwayRow, since: number): void {
    job.away.delete(epoch)
    const key = dismissalName({ worker, jobId, epoch })
    if (!tables.dismissals.has(key)) tables.dismissals.set(key, { worker, jobId, epoch, since })
  }

  const asideOf = ({ jobId, epoch }: AwayRow): StoredJob | null => {
    const job = tables.jobs.get(jobId)
    return job?.away.get(epoch)?.isAside ? job : null
  }

  const sorted = (): StoredJob[] => [...tables.jobs.values()].toSorted((a, b) => a.seq - b.seq)
  const rowsOf = (wanted: (job: StoredJob) => boolean): JobRow[] =>
    sorted()
      .filter(wanted)
      .map(({ row }) => row)
  const page = <T extends { n: number } | { seq: number }>(list: T[], wanted: (item: T) => boolean, limit: number): T[] =>
    list.filter(wanted).slice(0, limit)

  return {
    admit: job => write(batch => admit(batch, job)),
    claim: (limit, at) => write(batch => claim(batch, limit, at)),
    async change(wanted, options) {
      checkMoves(wanted)
      return write(batch => change(batch, wanted), options)
    },
    append: (id, events, at, options) => write(batch => record(batch, find(id), events, at), options),
    sealLog: (row, event) =>
      write(batch => {
        const job = find(row.jobId)
        if (job.log) return
        job.log = row
        record(batch, job, [event], row.sealedAt)
      }),
    remove: ids =>
      write(() => {
        for (const id of ids) {
          tables.jobs.delete(id)
          for (const [key, { id: of }] of tables.idempotency) if (of === id) tables.idempotency.delete(key)
        }
        tables.events = tables.events.filter(({ jobId }) => tables.jobs.has(jobId))
      }),
    forgetIdempotency: before =>
      write(() => {
        const old = [...tables.idempotency].filter(([, { at }]) => at < before)
        for (const [key] of old) tables.idempotency.delete(key)
        return old.length
      }),

    job: async id => tables.jobs.get(id)?.row ?? null,
    async repeated(key) {
      const found = tables.idempotency.get(key)
      return found ? { id: found.id, bodyHash: found.bodyHash, state: find(found.id).row.state } : null
    },
    async jobs({ before, limit, state, active, spec }) {
      const fits = ({ row, seq }: StoredJob) =>
        seq < (before ?? Number.POSITIVE_INFINITY) &&
        (state === undefined || row.state === state) &&
        (active === undefined || active !== isEnd(row.state)) &&
        (spec === undefined || (row.spec.repository !== undefined && row.spec.spec?.feature === spec.feature)) &&
        (spec === undefined || spec.repository === null || row.spec.repository?.path === spec.repository)
      const found = sorted().filter(fits).reverse()
      const rows = found.slice(0, limit).map(({ row, seq }) => ({ ...row, seq }))
      return { rows, next: found.length > limit ? (rows.at(-1)?.seq ?? null) : null }
    },
    inFlight: async () => rowsOf(({ row }) => isAttempt(row.state)),
    undelivered: async () => rowsOf(({ row }) => row.undelivered),
    unsealed: async () => rowsOf(({ row, log }) => row.endedAt !== null && !log).map(({ id }) => id),
    processes: async () => sorted().flatMap(({ processes }) => processes),
    async away(id) {
      const job = tables.jobs.get(id)
      const found = job?.away.get(job.row.epoch)
      return found && !found.isAside ? found.row : null
    },
    async aside(id) {
      const jobs = id === undefined ? sorted() : sorted().filter(({ row }) => row.id === id)
      const rows = jobs.flatMap(({ away }) => [...away.values()].flatMap(({ row, isAside }) => (isAside ? [row] : [])))
      return rows
    },
    appendAside: (row, events, at) =>
      write(batch => {
        const job = asideOf(row)
        if (!job) return false
        const known = job.away.get(row.epoch)
        if (known) known.row = { ...known.row, seen: row.seen }
        record(batch, job, events, at)
        return true
      }),
    dropAside: (row, event, at) =>
      write(batch => {
        const job = asideOf(row)
        if (!job) return
        drop(job, row, at)
        record(batch, job, [event], at)
      }),
    dismissals: async () => [...tables.dismissals.values()].toSorted((a, b) => a.since - b.since),
    forgetDismissal: dismissal => write(() => void tables.dismissals.delete(dismissalName(dismissal))),
    async jobSpecs(after, limit) {
      const counts = new Map<string, JobSpecRow>()
      for (const { row } of sorted()) {
        const { spec, repository } = row.spec
        if (!spec || !repository) continue
        const [{ feature }, { path }] = [spec, repository]
        const key = `${feature}/${path}`
        counts.set(key, { feature, repository: path, jobs: (counts.get(key)?.jobs ?? 0) + 1 })
      }
      const compare = (one: string, other: string) => Buffer.compare(Buffer.from(one), Buffer.from(other))
      const inOrder = (one: Pick<JobSpecRow, 'feature' | 'repository'>, other: typeof one) =>
        compare(one.feature, other.feature) || compare(one.repository, other.repository)
      return [...counts.values()]
        .filter(row => after === null || inOrder(row, after) > 0)
        .toSorted(inOrder)
        .slice(0, limit)
    },
    async specJobs(feature) {
      const named = sorted()
        .toReversed()
        .filter(({ row }) => row.spec.spec?.feature === feature && row.spec.repository)
      const newest = new Map(named.toReversed().map(job => [`${job.row.spec.repository?.path} ${job.row.spec.spec?.task}`, job]))
      return named.flatMap(job => {
        const { row, away } = job
        const { spec, repository } = row.spec
        if (!spec || !repository || newest.get(`${repository.path} ${spec.task}`) !== job) return []
        const place = away.get(row.epoch)
        const worker = place && !place.isAside ? place.row.worker : null
        const checks = (row.result?.checks ?? []).map(({ argv, verdict }) => ({ argv, verdict }))
        const { wording } = job
        return [{ jobId: row.id, state: row.state, task: spec.task, repository: repository.path, worker, checks, wording }]
      })
    },
    async placements(id) {
      const placements = [...(tables.jobs.get(id)?.placements.values() ?? [])]
      return placements.toSorted((a, b) => a.epoch - b.epoch)
    },
    async overdue(now) {
      const never = rowsOf(({ row }) => row.state === 'queued' && row.startedAt === null)
      const byDeadline = never.toSorted((a, b) => a.queueDeadline - b.queueDeadline)
      const next = byDeadline.find(({ queueDeadline }) => queueDeadline > now)
      const due = byDeadline.filter(({ queueDeadline }) => queueDeadline <= now)
      return { ids: due.map(({ id }) => id), next: next?.queueDeadline ?? null }
    },
    async ended(before, limit) {
      const ended = sorted().flatMap(({ row, log }) =>
        row.endedAt !== null && row.endedAt < before && log && !row.undelivered
          ? [{ id: row.id, endedAt: row.endedAt, logBytes: log.bytes }]
          : [],
      )
      return ended.toSorted((a, b) => a.endedAt - b.endedAt).slice(0, limit)
    },
    events: async (id, after, limit) => page(tables.events, event => event.jobId === id && event.n > after, limit),
    allEvents: async (after, limit) => page(tables.events, event => event.seq > after, limit),
    lastSeq: async () => tables.lastSeq,
    log: async id => tables.jobs.get(id)?.log ?? null,

    hosted: {
      accept: (key, award, at) =>
        write(() => {
          if (tables.hosted.has(nameOf(key))) return false
          const row: HostedRow = { ...key, state: 'placing', award, end: null, lastN: 0, acceptedAt: at }
          tables.hosted.set(nameOf(key), { row, events: [] })
          return true
        }),
      append: (key, events, at, { state, end, lesson, durable } = {}) =>
        write(
          batch => {
            const stored = tables.hosted.get(nameOf(key))
            if (!stored || stored.row.end !== null) return false
            for (const [index, body] of events.entries())
              stored.events.push({ n: stored.row.lastN + index + 1, at: new Date(at).toISOString(), body })
            const { row } = stored
            stored.row = { ...row, lastN: row.lastN + events.length, state: state ?? row.state, end: end ?? null }
            if (lesson) tables.learned.push(lesson)
            batch.hosted.push(key)
            return true
          },
          { durable },
        ),
      get: async key => tables.hosted.get(nameOf(key))?.row ?? null,
      all: async () => [...tables.hosted.values()].map(({ row }) => row),
      events: async (key, after, limit) => page(tables.hosted.get(nameOf(key))?.events ?? [], ({ n }) => n > after, limit),
      forgetEvents: (key, upTo) =>
        write(
          () => {
            const stored = tables.hosted.get(nameOf(key))
            stored?.events.splice(0, stored.events.filter(({ n }) => n <= upTo).length)
          },
          { durable: false },
        ),
      remove: key => write(() => void tables.hosted.delete(nameOf(key))),
      onChange: listener => subscribe(hostedListeners, listener),
    },

    learned: {
      ran: async () => tables.learned.flatMap(({ ran }) => ran ?? []),
      kept: async () => tables.learned.flatMap(({ kept }) => kept ?? []),
    },

    onEvents: listener => subscribe(eventListeners, listener),
    onQueued: listener => subscribe(queueListeners, listener),
    counts: () => ({ statements: transactions, transactions }),
    size: async () => 0,
    async close() {
      isClosed = true
      apply()()
    },
  }
}
