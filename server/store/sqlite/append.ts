import { ApiError } from '#shared/contract/index.ts'
import type { EventBody, JobId } from '#shared/model/index.ts'
import type { LogRow } from '../index.ts'
import { type Batch, recordEvents } from './batch.ts'
import type { Statements } from './statements.ts'

/** @throws {ApiError} `not_found` when the job was removed meanwhile. */
export function append(statements: Statements, batch: Batch, id: JobId, events: readonly EventBody[], at: number): void {
  const job = statements.get<{ seq: number; last_n: number }>(
    'UPDATE job SET last_n = last_n + ? WHERE id = ? RETURNING seq, last_n',
    events.length,
    id,
  )
  if (!job) throw new ApiError('not_found', `There is no job ${id}.`)
  recordEvents(statements, batch, { seq: job.seq, id, lastN: job.last_n - events.length }, events, at)
}

/** Remembers a log as final, and says so once however often it is called. */
export function sealLog(statements: Statements, batch: Batch, row: LogRow, event: EventBody): void {
  const sealed = statements.get<{ sealed: number }>('SELECT sealed FROM job WHERE id = ?', row.jobId)
  if (!sealed) throw new ApiError('not_found', `There is no job ${row.jobId}.`)
  if (sealed.sealed === 1) return
  statements.run(
    'INSERT INTO log (job, bytes, sha256, sealed_at) SELECT seq, ?, ?, ? FROM job WHERE id = ?',
    row.bytes,
    row.sha256,
    row.sealedAt,
    row.jobId,
  )
  statements.run('UPDATE job SET sealed = 1 WHERE id = ?', row.jobId)
  append(statements, batch, row.jobId, [event], row.sealedAt)
}
