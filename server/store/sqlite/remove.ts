import type { JobId } from '#shared/model/index.ts'
import type { Batch } from './batch.ts'
import type { Statements } from './statements.ts'

const BELONGINGS = ['request', 'outcome', 'event', 'idempotency', 'process', 'log', 'away', 'placement', 'spec_task'] as const

/** Removes jobs and all that belongs to them. Their numbers are not given again. */
export function remove(statements: Statements, batch: Batch, ids: readonly JobId[]): void {
  const keep = (name: 'event' | 'job', value: number) =>
    statements.run('INSERT OR REPLACE INTO floor (name, value) VALUES (?, ?)', name, value)
  keep('event', batch.lastSeq)
  keep('job', batch.lastJob)
  const list = JSON.stringify(ids)
  for (const table of BELONGINGS) {
    statements.run(
      `DELETE FROM ${table} WHERE job IN (SELECT j.seq FROM json_each(?) AS wanted CROSS JOIN job j ON j.id = wanted.value)`,
      list,
    )
  }
  statements.run('DELETE FROM job WHERE id IN (SELECT value FROM json_each(?))', list)
}
