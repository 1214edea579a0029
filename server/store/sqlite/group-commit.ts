import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '#server/lib/clock.ts'

/** Longest wait of a write that need not be durable at once, ms. */
const SOON_MS = 50
/** Writes in one transaction at most, so that a flood of them does not hold the event loop for long. */
const MAX_WRITES = 1000

/** Writes that are asked for in the same turn of the event loop share one transaction and one fsync. */
export interface GroupCommit<Batch> {
  /** Fulfils when the write is on disk. A write that throws is undone alone; the others of its turn are not touched. */
  write<T>(work: (batch: Batch) => T): Promise<T>
  /** The same without hurry: joins the next write, or goes by itself within 50 ms. */
  writeSoon<T>(work: (batch: Batch) => T): Promise<T>
  /** Writes what waits, and refuses what comes after. */
  close(): void
  /** Transactions committed, each with one fsync. */
  transactions(): number
}

interface Waiting<Batch> {
  readonly work: (batch: Batch) => unknown
  readonly fulfil: (value: unknown) => void
  readonly reject: (reason: unknown) => void
}

export function createGroupCommit<Batch>(deps: {
  db: Pick<DatabaseSync, 'exec' | 'isTransaction'>
  clock: Clock
  /** What the writes of one transaction share; thrown away when the transaction fails. */
  createBatch: () => Batch
  /** Called after the commit and before any of its promises fulfils. */
  committed: (batch: Batch) => void
  /** What a failure means to the one who asked. */
  explain: (cause: unknown) => unknown
}): GroupCommit<Batch> {
  const { db, clock, createBatch, committed, explain } = deps
  const waiting: Waiting<Batch>[] = []
  let immediate: NodeJS.Immediate | null = null
  let cancelTimer: (() => void) | null = null
  let transactions = 0
  let closed = false

  function flush(): void {
    if (immediate) clearImmediate(immediate)
    cancelTimer?.()
    immediate = null
    cancelTimer = null
    commit(waiting.splice(0, MAX_WRITES))
    if (waiting.length > 0 && !closed) hurry()
  }

  function hurry(): void {
    immediate ??= setImmediate(flush)
  }

  function commit(writes: readonly Waiting<Batch>[]): void {
    let results: unknown[]
    let batch: Batch
    try {
      batch = createBatch()
      db.exec('BEGIN IMMEDIATE')
      results = writes.map(({ work }) => work(batch))
      db.exec('COMMIT')
    } catch (cause) {
      if (db.isTransaction) db.exec('ROLLBACK')
      // Whoever failed shall fail alone; this is rare, so each write may then pay for a transaction of its own.
      if (writes.length > 1) for (const write of writes) commit([write])
      else writes[0]?.reject(explain(cause))
      return
    }
    transactions += 1
    committed(batch)
    for (const [index, { fulfil }] of writes.entries()) fulfil(results[index])
  }

  function enqueue<T>(work: (batch: Batch) => T): Promise<T> {
    if (closed) return Promise.reject(new Error('The store is closed'))
    return new Promise<T>((fulfil, reject) => waiting.push({ work, fulfil: fulfil as (value: unknown) => void, reject }))
  }

  return {
    write(work) {
      const done = enqueue(work)
      if (!closed) hurry()
      return done
    },
    writeSoon(work) {
      const done = enqueue(work)
      if (!closed && immediate === null) cancelTimer ??= clock.after(SOON_MS, flush)
      return done
    },
    close() {
      closed = true
      while (waiting.length > 0) flush()
    },
    transactions: () => transactions,
  }
}
