import type { EventBody, JobEvent, JobId } from '#shared/model/index.ts'
import type { Statements } from './statements.ts'

/** What the writes of one transaction share: the last numbers given, and what to tell once it is on disk. */
export interface Batch {
  lastSeq: number
  lastJob: number
  readonly events: JobEvent[]
  /** Whether a job became claimable. */
  woken: boolean
}

/** The highest number ever given in a table, rows that are gone included. */
export function highestNumber(statements: Statements, table: 'event' | 'job'): number {
  const row = statements.get<{ value: number }>(
    `SELECT max(coalesce((SELECT max(seq) FROM ${table}), 0), coalesce((SELECT value FROM floor WHERE name = ?), 0)) AS value`,
    table,
  )
  return row?.value ?? 0
}

/** Stores events as the ones after number `lastN` of a job. */
export function recordEvents(
  statements: Statements,
  batch: Batch,
  job: { seq: number; id: JobId; lastN: number },
  events: readonly EventBody[],
  at: number,
): void {
  const time = new Date(at).toISOString()
  let n = job.lastN
  for (const body of events) {
    n += 1
    batch.lastSeq += 1
    statements.run(
      'INSERT INTO event (seq, job, n, at, body) VALUES (?, ?, ?, ?, ?)',
      batch.lastSeq,
      job.seq,
      n,
      at,
      JSON.stringify(body),
    )
    batch.events.push({ seq: batch.lastSeq, jobId: job.id, n, at: time, body })
  }
}
