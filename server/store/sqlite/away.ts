import type { EventBody } from '#shared/model/index.ts'
import type { AwayRow, Dismissal } from '../index.ts'
import { append } from './append.ts'
import type { Batch } from './batch.ts'
import type { Statements } from './statements.ts'

/** Reads attempts on other nodes; a condition on `j` and `a` follows. */
export const SELECT_AWAY =
  'SELECT j.id AS jobId, a.epoch, a.worker, a.seen, a.log_offset AS logOffset, a.executor FROM away a CROSS JOIN job j ON j.seq = a.job'

/** Remembers that a node has to be told. */
export function insertDismissal(statements: Statements, { worker, jobId, epoch, since }: Dismissal): void {
  statements.run('INSERT OR IGNORE INTO dismissal (worker, job, epoch, since) VALUES (?, ?, ?, ?)', worker, jobId, epoch, since)
}

/** Stores events of an attempt that is set aside, with how far it is known. @returns false when it is not set aside, any more. */
export function appendAside(
  statements: Statements,
  batch: Batch,
  { jobId, epoch, seen }: AwayRow,
  events: readonly EventBody[],
  at: number,
): boolean {
  const moved = statements.run(
    'UPDATE away SET seen = ? WHERE job = (SELECT seq FROM job WHERE id = ?) AND epoch = ? AND aside = 1',
    seen,
    jobId,
    epoch,
  )
  if (moved === 0) return false
  append(statements, batch, jobId, events, at)
  return true
}

/** Gives up an attempt that is set aside. One that is not any more is left alone. */
export function dropAside(
  statements: Statements,
  batch: Batch,
  { jobId, epoch, worker }: AwayRow,
  event: EventBody,
  at: number,
): void {
  const dropped = statements.run(
    'DELETE FROM away WHERE job = (SELECT seq FROM job WHERE id = ?) AND epoch = ? AND aside = 1',
    jobId,
    epoch,
  )
  if (dropped === 0) return
  insertDismissal(statements, { worker, jobId, epoch, since: at })
  append(statements, batch, jobId, [event], at)
}
