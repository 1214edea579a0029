import type { JobEvent, JobId } from '#shared/model/index.ts'

/** Live events for readers: what was stored is read from the store, what comes is pushed; the seam neither repeats nor skips. */
export interface Events {
  /** Events of one job after number `after`; ends after the job's end, or when `signal` aborts. */
  follow(id: JobId, after: number, signal: AbortSignal): AsyncIterable<JobEvent>
  /** Events of every job after sequence `after`; ends when `signal` aborts. */
  followAll(after: number, signal: AbortSignal): AsyncIterable<JobEvent>
}
