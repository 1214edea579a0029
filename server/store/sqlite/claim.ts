import type { JobRow } from '../index.ts'
import { type Batch, recordEvents } from './batch.ts'
import { type JobRecord, selectJob, toJob } from './rows.ts'
import type { Statements } from './statements.ts'

const NEXT = `${selectJob('job_to_claim')} WHERE j.state = 'queued' ORDER BY j.priority DESC, j.seq LIMIT ?`

/** Moves the next queued jobs to `placing`: one look into the index of claimable jobs, as long as `limit` and no longer. */
export function claim(statements: Statements, batch: Batch, limit: number, at: number): JobRow[] {
  const records = statements.all<JobRecord>(NEXT, limit)
  return records.map(record => {
    const epoch = record.epoch + 1
    const startedAt = record.started_at ?? at
    statements.run(
      "UPDATE job SET state = 'placing', epoch = ?, started_at = ?, updated_at = ?, last_n = last_n + 1 WHERE seq = ?",
      epoch,
      startedAt,
      at,
      record.seq,
    )
    recordEvents(
      statements,
      batch,
      { seq: record.seq, id: record.id, lastN: record.last_n },
      [{ type: 'job.state', from: 'queued', to: 'placing', epoch, failure: null }],
      at,
    )
    return { ...toJob(record), state: 'placing', epoch, startedAt, updatedAt: at }
  })
}
