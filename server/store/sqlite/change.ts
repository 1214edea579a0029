import { isEnd, type JobState, mayMove } from '#shared/model/index.ts'
import type { Change, JobPatch } from '../index.ts'
import { insertDismissal } from './away.ts'
import { type Batch, recordEvents } from './batch.ts'
import { learn } from './learned.ts'
import { json } from './rows.ts'
import type { Statements, Value } from './statements.ts'

/**
 * Holds a change to the life of a job: its `job.state` events lead from the guarded state to the patched one, each by an arrow of
 * the model. A change may take several steps at once; each then has its event.
 * @throws {Error} when it does not: a programming error, so nothing is written.
 */
export function checkMoves({ id, guard, patch, events }: Change): void {
  let state: JobState = guard.state
  for (const event of events) {
    if (event.type !== 'job.state') continue
    if (event.from !== state || !mayMove(event.from, event.to))
      throw new Error(`Job ${id} is ${state} and cannot move from ${event.from} to ${event.to}`)
    state = event.to
  }
  const wanted = patch.state ?? guard.state
  if (state !== wanted) throw new Error(`Job ${id} moves from ${guard.state} to ${wanted}, but its events lead to ${state}`)
}

/** The columns of `job` that a patch may set, and how. */
const COLUMNS = {
  state: 'state',
  epoch: 'epoch',
  losses: 'losses',
  startedAt: 'started_at',
  endedAt: 'ended_at',
  cancelRequested: 'cancel_requested',
  undelivered: 'undelivered',
} as const satisfies Partial<Record<keyof JobPatch, string>>
type Column = keyof typeof COLUMNS
const isColumn = (key: string): key is Column => Object.hasOwn(COLUMNS, key)

/** Applies a change when the job is in the guarded state and epoch. @returns whether it was. */
export function change(statements: Statements, batch: Batch, change: Change): boolean {
  const { id, guard, events, at } = change
  const patch: JobPatch = isEnding(change) ? { endedAt: at, ...change.patch } : change.patch
  // Only columns that change are named: SQLite then leaves the indexes of all others alone.
  const columns = Object.keys(patch).filter(isColumn)
  const job = statements.get<{ seq: number; last_n: number }>(
    updateSql(columns),
    at,
    events.length,
    ...columns.map(column => toValue(patch[column])),
    id,
    guard.state,
    guard.epoch,
  )
  if (!job) return false
  patchTexts(statements, job.seq, patch)
  patchProcesses(statements, job.seq, change)
  patchAway(statements, job.seq, change)
  if (change.lesson) learn(statements, change.lesson)
  recordEvents(statements, batch, { seq: job.seq, id, lastN: job.last_n - events.length }, events, at)
  if (patch.state === 'queued') batch.woken = true
  return true
}

const isEnding = ({ guard, patch }: Change): boolean => patch.state !== undefined && isEnd(patch.state) && !isEnd(guard.state)

function toValue(value: string | number | boolean | null | undefined): Value {
  return typeof value === 'boolean' ? Number(value) : (value ?? null)
}

const updates = new Map<string, string>()

function updateSql(columns: readonly Column[]): string {
  const key = columns.join()
  let sql = updates.get(key)
  if (!sql) {
    const assignments = columns.map(column => `, ${COLUMNS[column]} = ?`).join('')
    sql = `UPDATE job SET updated_at = ?, last_n = last_n + ?${assignments}
      WHERE id = ? AND state = ? AND epoch = ? RETURNING seq, last_n`
    updates.set(key, sql)
  }
  return sql
}

function patchTexts(statements: Statements, seq: number, { snapshot, failure, result }: JobPatch): void {
  if (snapshot !== undefined) statements.run('UPDATE request SET snapshot = ? WHERE job = ?', json(snapshot), seq)
  if (failure !== undefined) {
    statements.run(
      'INSERT INTO outcome (job, failure) VALUES (?, ?) ON CONFLICT (job) DO UPDATE SET failure = excluded.failure',
      seq,
      json(failure),
    )
  }
  if (result !== undefined) {
    statements.run(
      'INSERT INTO outcome (job, result) VALUES (?, ?) ON CONFLICT (job) DO UPDATE SET result = excluded.result',
      seq,
      json(result),
    )
  }
}

function patchAway(statements: Statements, seq: number, change: Change): void {
  const { away, placement, forgetProcesses, setAside, guard } = change
  if (setAside) statements.run('UPDATE away SET aside = 1 WHERE job = ? AND epoch = ?', seq, guard.epoch)
  else if (forgetProcesses) dismiss(statements, seq, change)
  if (away)
    statements.run(
      'INSERT OR REPLACE INTO away (job, epoch, worker, seen, log_offset, executor, aside) VALUES (?, ?, ?, ?, ?, ?, 0)',
      seq,
      away.epoch,
      away.worker,
      away.seen,
      away.logOffset,
      away.executor,
    )
  if (placement)
    statements.run(
      'INSERT OR REPLACE INTO placement (job, epoch, record) VALUES (?, ?, ?)',
      seq,
      placement.epoch,
      JSON.stringify(placement),
    )
}

/** Attempts on other nodes that are over for their job: all of an ended one, else the one it moves on from. */
function dismiss(statements: Statements, seq: number, { id, guard, patch, at }: Change): void {
  const isOver = patch.state !== undefined && isEnd(patch.state)
  const gone = isOver
    ? statements.all<{ worker: string; epoch: number }>('DELETE FROM away WHERE job = ? RETURNING worker, epoch', seq)
    : statements.all<{ worker: string; epoch: number }>(
        'DELETE FROM away WHERE job = ? AND epoch = ? AND aside = 0 RETURNING worker, epoch',
        seq,
        guard.epoch,
      )
  for (const { worker, epoch } of gone) insertDismissal(statements, { worker, jobId: id, epoch, since: at })
}

function patchProcesses(statements: Statements, seq: number, { process, forgetProcesses }: Change): void {
  if (forgetProcesses) statements.run('DELETE FROM process WHERE job = ?', seq)
  if (!process) return
  statements.run(
    'INSERT OR REPLACE INTO process (job, epoch, purpose, pid, start_time) VALUES (?, ?, ?, ?, ?)',
    seq,
    process.epoch,
    process.purpose,
    process.pid,
    process.startTime,
  )
}
