import type { EventBody, Failure, JobEvent, JobId, JobSpec, JobState, Result, Snapshot } from '#shared/model/index.ts'
import type { JobRow } from '../index.ts'

/** A job as SQLite gives it. */
export interface JobRecord {
  readonly seq: number
  readonly id: JobId
  readonly state: JobState
  readonly epoch: number
  readonly losses: number
  readonly priority: number
  readonly created_at: number
  readonly updated_at: number
  readonly started_at: number | null
  readonly ended_at: number | null
  readonly queue_deadline: number
  readonly cancel_requested: number
  readonly undelivered: number
  readonly last_n: number
  readonly title: string
  readonly spec: string
  readonly snapshot: string | null
  readonly retry_of: string | null
  readonly failure: string | null
  readonly result: string | null
}

/**
 * Reads whole jobs; a condition on `j` follows. Partial indexes are named, because the planner cannot know that few jobs are in
 * them and would rather sort all jobs of a state.
 */
export const selectJob = (index?: 'job_to_claim' | 'job_to_deliver'): string =>
  `SELECT j.seq, j.id, j.state, j.epoch, j.losses, j.priority, j.created_at, j.updated_at, j.started_at, j.ended_at, j.queue_deadline,
  j.cancel_requested, j.undelivered, j.last_n, r.title, r.spec, r.snapshot, r.retry_of, o.failure, o.result
  FROM job j ${index ? `INDEXED BY ${index}` : ''} CROSS JOIN request r ON r.job = j.seq LEFT JOIN outcome o ON o.job = j.seq`

/** What this store wrote is trusted to be what it was. */
const parse = <T>(json: string | null): T | null => (json === null ? null : (JSON.parse(json) as T))
export const json = (value: unknown): string | null => (value === null || value === undefined ? null : JSON.stringify(value))

export function toJob(record: JobRecord): JobRow {
  return {
    id: record.id,
    state: record.state,
    epoch: record.epoch,
    losses: record.losses,
    title: record.title,
    priority: record.priority,
    spec: JSON.parse(record.spec) as JobSpec,
    snapshot: parse<Snapshot>(record.snapshot),
    createdAt: record.created_at,
    updatedAt: record.updated_at,
    startedAt: record.started_at,
    endedAt: record.ended_at,
    queueDeadline: record.queue_deadline,
    cancelRequested: record.cancel_requested === 1,
    retryOf: record.retry_of,
    failure: parse<Failure>(record.failure),
    result: parse<Result>(record.result),
    undelivered: record.undelivered === 1,
  }
}

export interface EventRecord {
  readonly seq: number
  readonly id: JobId
  readonly n: number
  readonly at: number
  readonly body: string
}

export function toEvent({ seq, id, n, at, body }: EventRecord): JobEvent {
  return { seq, jobId: id, n, at: new Date(at).toISOString(), body: JSON.parse(body) as EventBody }
}
