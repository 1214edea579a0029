import type { JobId, JobState } from '#shared/model/index.ts'
import type { Admission, NewJob } from '../index.ts'
import { type Batch, recordEvents } from './batch.ts'
import { json } from './rows.ts'
import type { Statements } from './statements.ts'

/** The job that an idempotency key stands for, with the hash of its request. */
export function findRepeated(statements: Statements, key: string): { id: JobId; state: JobState; bodyHash: string } | null {
  const found = statements.get<{ id: JobId; state: JobState; bodyHash: string }>(
    'SELECT j.id, j.state, i.body_hash AS bodyHash FROM idempotency i JOIN job j ON j.seq = i.job WHERE i.key = ?',
    key,
  )
  return found ?? null
}

/** Stores a job with its first events, unless its idempotency key has been used. */
export function admit(statements: Statements, batch: Batch, { job, idempotency, events, wording }: NewJob): Admission {
  if (idempotency) {
    const found = findRepeated(statements, idempotency.key)
    if (found && found.bodyHash !== idempotency.bodyHash) return { outcome: 'conflict' }
    if (found) return { outcome: 'repeated', id: found.id, state: found.state }
  }
  const seq = batch.lastJob + 1
  statements.run(
    `INSERT INTO job (seq, id, state, epoch, priority, created_at, updated_at, started_at, ended_at, queue_deadline,
      cancel_requested, undelivered, sealed, last_n) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)`,
    seq,
    job.id,
    job.state,
    job.epoch,
    job.priority,
    job.createdAt,
    job.updatedAt,
    job.startedAt,
    job.endedAt,
    job.queueDeadline,
    job.cancelRequested ? 1 : 0,
    job.undelivered ? 1 : 0,
    events.length,
  )
  batch.lastJob = seq
  statements.run(
    'INSERT INTO request (job, title, spec, snapshot, retry_of) VALUES (?, ?, ?, ?, ?)',
    seq,
    job.title,
    JSON.stringify(job.spec),
    json(job.snapshot),
    job.retryOf,
  )
  const { spec, repository } = job.spec
  if (spec && repository) {
    statements.run(
      `INSERT INTO spec_task (job, feature, task, repository, wording) VALUES (?, ?, ?, ?,
        coalesce(?, (SELECT s.wording FROM job j JOIN spec_task s ON s.job = j.seq WHERE j.id = ?)))`,
      seq,
      spec.feature,
      spec.task,
      repository.path,
      wording,
      job.retryOf,
    )
  }
  if (job.failure || job.result) {
    statements.run('INSERT INTO outcome (job, failure, result) VALUES (?, ?, ?)', seq, json(job.failure), json(job.result))
  }
  if (idempotency) {
    statements.run(
      'INSERT INTO idempotency (key, job, body_hash, created_at) VALUES (?, ?, ?, ?)',
      idempotency.key,
      seq,
      idempotency.bodyHash,
      job.createdAt,
    )
  }
  recordEvents(statements, batch, { seq, id: job.id, lastN: 0 }, events, job.createdAt)
  if (job.state === 'queued') batch.woken = true
  return { outcome: 'accepted', id: job.id, state: job.state }
}
