import type {
  Check,
  EventBody,
  Failure,
  JobEvent,
  JobId,
  JobSpec,
  JobState,
  NodeId,
  PlacementRecord,
  Result,
  Snapshot,
} from '#shared/model/index.ts'
import type { HostedStore } from './hosted.ts'
import type { LearnedStore, Lesson } from './learned.ts'

export { StoreError } from './error.ts'
export type { HostedEvent, HostedKey, HostedRow, HostedStore } from './hosted.ts'
export type { KeptRow, Lesson } from './learned.ts'
export { lockDataDirectory } from './lock.ts'

/** A job as it is stored. Times are ms since 1970. */
export interface JobRow {
  readonly id: JobId
  readonly state: JobState
  readonly epoch: number
  /** Attempts that were lost: nobody knows how they went. */
  readonly losses: number
  readonly title: string
  readonly priority: number
  readonly spec: JobSpec
  readonly snapshot: Snapshot | null
  readonly createdAt: number
  readonly updatedAt: number
  readonly startedAt: number | null
  readonly endedAt: number | null
  /** When a job that never started fails with `queue_timeout`. */
  readonly queueDeadline: number
  readonly cancelRequested: boolean
  readonly retryOf: JobId | null
  readonly failure: Failure | null
  readonly result: Result | null
  /** An accepted result whose commit is not yet in the repository of the person who asked. */
  readonly undelivered: boolean
}

/** A process of an attempt, recorded so that a later server can find and end exactly that one. */
export interface ProcessRow {
  readonly jobId: JobId
  readonly epoch: number
  readonly purpose: string
  readonly pid: number
  /** Start time as the kernel tells it (clock ticks since boot), with the boot id: `<bootId>:<ticks>`. */
  readonly startTime: string
}

export type Admission =
  | { outcome: 'accepted'; id: JobId; state: JobState }
  | { outcome: 'repeated'; id: JobId; state: JobState }
  | { outcome: 'conflict' }

export interface NewJob {
  readonly job: JobRow
  /** SHA-256 of the request, to tell a repeat from another request under the same key. */
  readonly idempotency: { key: string; bodyHash: string } | null
  readonly events: readonly EventBody[]
  /** Hash of what the task of a spec asked for that the job names; null where that is not known. A retry keeps that of its job. */
  readonly wording: string | null
}

/** What may be changed in a job. State moves only as the guard allows. */
export type JobPatch = Partial<
  Pick<
    JobRow,
    'state' | 'epoch' | 'losses' | 'startedAt' | 'endedAt' | 'cancelRequested' | 'failure' | 'result' | 'undelivered' | 'snapshot'
  >
>

/** A conditional change: applied whole when the job is in that state and epoch, not at all otherwise. */
export interface Change {
  readonly id: JobId
  readonly guard: { state: JobState; epoch: number }
  readonly patch: JobPatch
  readonly events: readonly EventBody[]
  readonly at: number
  /** Processes to remember or, with `forget`, all of this job's to drop. */
  readonly process?: ProcessRow
  readonly forgetProcesses?: boolean
  /** Where the attempt runs, when it is another node. Forgotten with its processes, and dismissed; at the job's end all are. */
  readonly away?: AwayRow
  /** The job goes on without the attempt that runs on another node, which may still finish: it is not dismissed. */
  readonly setAside?: boolean
  /** How the attempt came to its node. */
  readonly placement?: PlacementRecord
  /** What the end of the attempt teaches. */
  readonly lesson?: Lesson
}

/** An attempt of a job on another node that its home wants nothing more of, and has to say so. */
export interface Dismissal {
  readonly worker: NodeId
  readonly jobId: JobId
  readonly epoch: number
  /** ms since 1970. */
  readonly since: number
}

/** An attempt of a job that runs on another node. */
export interface AwayRow {
  readonly jobId: JobId
  readonly epoch: number
  readonly worker: NodeId
  /** Number of the worker's last event that is stored here. */
  readonly seen: number
  /** Where the attempt's log begins in the job's. */
  readonly logOffset: number
  /** Which of the worker's executors it was given to. */
  readonly executor: string
}

/** A feature of a work tree, and how many jobs are for its tasks. */
export interface JobSpecRow {
  readonly feature: string
  readonly repository: string
  readonly jobs: number
}

/** A job that says which task of a spec it is for. */
export interface SpecJobRow {
  readonly jobId: JobId
  readonly state: JobState
  readonly task: string
  /** Work tree that the job started from. */
  readonly repository: string
  /** Node that its newest attempt runs on, when that is another one. */
  readonly worker: NodeId | null
  /** Those of its result; none before it has one. */
  readonly checks: readonly Pick<Check, 'argv' | 'verdict'>[]
  /** Hash of what its task asked for when the job was made; null where that is not known. */
  readonly wording: string | null
}

export interface LogRow {
  readonly jobId: JobId
  readonly bytes: number
  readonly sha256: string
  readonly sealedAt: number
}

/** A write without hurry (`durable: false`) joins the next one, or goes by itself within 50 ms. */
export interface WriteOptions {
  readonly durable?: boolean
}

/**
 * Jobs, events and what belongs to them. Writes are durable when their promise fulfils, and take effect in the order they were
 * asked for; those that are asked for at the same time share one transaction and one fsync. Reads see every fulfilled write.
 */
export interface Store {
  admit(job: NewJob): Promise<Admission>
  /** Moves up to `limit` queued jobs, highest priority and oldest first, to `placing` with epoch + 1, and says so in events. */
  claim(limit: number, at: number): Promise<JobRow[]>
  /** @returns false when the guard did not hold; then nothing was written. */
  change(change: Change, options?: WriteOptions): Promise<boolean>
  /** Appends events that change no state. */
  append(id: JobId, events: readonly EventBody[], at: number, options?: WriteOptions): Promise<void>
  sealLog(row: LogRow, event: EventBody, options?: WriteOptions): Promise<void>
  remove(ids: readonly JobId[]): Promise<void>
  forgetIdempotency(before: number): Promise<number>

  job(id: JobId): Promise<JobRow | null>
  /** The job of an idempotency key, with the hash of its request. */
  repeated(key: string): Promise<{ id: JobId; state: JobState; bodyHash: string } | null>
  jobs(query: {
    before: number | null
    limit: number
    state?: JobState
    active?: boolean
    /** Only jobs for a feature, and of a work tree where one is named. */
    spec?: { readonly feature: string; readonly repository: string | null }
  }): Promise<{ rows: (JobRow & { seq: number })[]; next: number | null }>
  /** Jobs between `placing` and `checking`: after a start, those whose attempt was cut off. */
  inFlight(): Promise<JobRow[]>
  undelivered(): Promise<JobRow[]>
  /** Ended jobs whose log is not sealed yet: the process died between the two. */
  unsealed(): Promise<JobId[]>
  processes(): Promise<ProcessRow[]>
  /** The newest attempt of a job, when it runs on another node. */
  away(id: JobId): Promise<AwayRow | null>
  /** Attempts that their jobs went on without and that may still finish: of one job, or of all. */
  aside(id?: JobId): Promise<AwayRow[]>
  /** Stores what an attempt that is set aside tells. @returns false when it is not, any more. */
  appendAside(row: AwayRow, events: readonly EventBody[], at: number): Promise<boolean>
  /** Gives up an attempt that is set aside, and says so in an event of its job. */
  dropAside(row: AwayRow, event: EventBody, at: number): Promise<void>
  /** Attempts whose nodes have to be told that nothing more is wanted of them. */
  dismissals(): Promise<Dismissal[]>
  /** That node was told, or never will be. */
  forgetDismissal(dismissal: Dismissal): Promise<void>
  /** How the attempts of a job came to their nodes, by epoch. */
  placements(id: JobId): Promise<PlacementRecord[]>
  /** Features that jobs are for, each of a work tree, in the order of their names, with the number of jobs. @param after the last that was seen */
  jobSpecs(after: Pick<JobSpecRow, 'feature' | 'repository'> | null, limit: number): Promise<JobSpecRow[]>
  /** Jobs that name a task of a feature, the newest first; one a task and work tree. */
  specJobs(feature: string): Promise<SpecJobRow[]>
  /** Attempts of other nodes' jobs that run here. */
  readonly hosted: HostedStore
  /** What attempts that ended here, or were given away, have taught. */
  readonly learned: LearnedStore
  /** Queued jobs whose `queueDeadline` is not after `now`, and when the next one is due. */
  overdue(now: number): Promise<{ ids: JobId[]; next: number | null }>
  /** Jobs that ended before `before`, first ended first, with which nothing is to be done any more: delivered, and the log final. */
  ended(before: number, limit: number): Promise<{ id: JobId; endedAt: number; logBytes: number }[]>
  events(id: JobId, after: number, limit: number): Promise<JobEvent[]>
  allEvents(after: number, limit: number): Promise<JobEvent[]>
  lastSeq(): Promise<number>
  log(id: JobId): Promise<LogRow | null>

  /** Called after each durable write with the events it added, in order. */
  onEvents(listener: (events: readonly JobEvent[]) => void): () => void
  /** Called after each durable write that made a job claimable. */
  onQueued(listener: () => void): () => void
  /** Counts since opening, for tests and benchmarks. */
  counts(): { statements: number; transactions: number }
  /** Bytes the database takes on disk. */
  size(): Promise<number>
  close(): Promise<void>
}
