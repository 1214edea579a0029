import { statSync } from 'node:fs'
import type { Clock } from '#server/lib/clock.ts'
import type { JobEvent } from '#shared/model/index.ts'
import type { Store, WriteOptions } from '../index.ts'
import { admit } from './admit.ts'
import { append, sealLog } from './append.ts'
import { appendAside, dropAside } from './away.ts'
import { type Batch, highestNumber } from './batch.ts'
import { change, checkMoves } from './change.ts'
import { claim } from './claim.ts'
import { writeFailure } from './failure.ts'
import { createGroupCommit } from './group-commit.ts'
import { createHosted } from './hosted.ts'
import { createLearned } from './learned.ts'
import { openDatabase } from './open.ts'
import { createQueries } from './queries.ts'
import { remove } from './remove.ts'
import { createStatements } from './statements.ts'

/** Where failures of listeners are told; a logger of pino fits. */
interface FailureLog {
  error(details: object, message: string): void
}

/**
 * The store on SQLite, for one process that holds the lock of the data directory. Every write is on disk when its promise
 * fulfils (`synchronous = FULL`). When nothing is asked it runs no statement and no timer.
 * @throws {StoreError} when the file is newer, damaged, locked or cannot be written.
 */
export async function sqliteStore({ file, clock, log }: { file: string; clock: Clock; log?: FailureLog }): Promise<Store> {
  const db = openDatabase(file)
  const statements = createStatements(db)
  const eventListeners = new Set<(events: readonly JobEvent[]) => void>()
  const queueListeners = new Set<() => void>()
  let lastSeq = highestNumber(statements, 'event')
  let lastJob = highestNumber(statements, 'job')

  /** What is on disk stays true whatever a listener makes of it. */
  function tell(call: () => void): void {
    try {
      call()
    } catch (error) {
      log?.error({ err: error }, 'A listener of the store failed')
    }
  }

  function committed(batch: Batch): void {
    lastSeq = batch.lastSeq
    lastJob = batch.lastJob
    if (batch.events.length > 0) for (const listener of eventListeners) tell(() => listener(batch.events))
    if (batch.woken) for (const listener of queueListeners) tell(listener)
  }

  const writes = createGroupCommit<Batch>({
    db,
    clock,
    createBatch: () => ({ lastSeq, lastJob, events: [], woken: false }),
    committed,
    explain: writeFailure,
  })

  const enqueue = ({ durable = true }: WriteOptions = {}) => (durable ? writes.write : writes.writeSoon)

  function subscribe<T>(listeners: Set<T>, listener: T): () => void {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  return {
    ...createQueries(statements),
    hosted: createHosted(statements, writes),
    learned: createLearned(statements),
    admit: job => writes.write(batch => admit(statements, batch, job)),
    claim: (limit, at) => writes.write(batch => claim(statements, batch, limit, at)),
    async change(wanted, options) {
      checkMoves(wanted)
      return enqueue(options)(batch => change(statements, batch, wanted))
    },
    append: (id, events, at, options) => enqueue(options)(batch => append(statements, batch, id, events, at)),
    appendAside: (row, events, at) => writes.write(batch => appendAside(statements, batch, row, events, at)),
    dropAside: (row, event, at) => writes.write(batch => dropAside(statements, batch, row, event, at)),
    async forgetDismissal({ worker, jobId, epoch }) {
      await writes.write(() =>
        statements.run('DELETE FROM dismissal WHERE worker = ? AND job = ? AND epoch = ?', worker, jobId, epoch),
      )
    },
    sealLog: (row, event, options) => enqueue(options)(batch => sealLog(statements, batch, row, event)),
    async remove(ids) {
      await writes.write(batch => remove(statements, batch, ids))
      // Gives the freed pages back to the file system: moved to the end, cut off, and the log that says so emptied.
      db.exec('PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)')
    },
    forgetIdempotency: before => writes.write(() => statements.run('DELETE FROM idempotency WHERE created_at < ?', before)),
    lastSeq: async () => lastSeq,
    onEvents: listener => subscribe(eventListeners, listener),
    onQueued: listener => subscribe(queueListeners, listener),
    counts: () => ({ statements: statements.executed() + 2 * writes.transactions(), transactions: writes.transactions() }),
    async size() {
      return ['', '-wal', '-shm'].reduce((sum, end) => sum + (statSync(`${file}${end}`, { throwIfNoEntry: false })?.size ?? 0), 0)
    },
    async close() {
      if (!db.isOpen) return
      writes.close()
      db.close()
    },
  }
}
