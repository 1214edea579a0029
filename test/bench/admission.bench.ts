import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { defineBench, type SideContext } from './bench.ts'
import { benchJob, fromCallers, openStore, spin } from './workload.ts'

const CALLERS = 64
const JOBS = 20_000
const SERIAL_JOBS = 1_000
const WARM_UP = 2_000

async function admission({ directory, defer }: SideContext, slowdown = () => {}): Promise<number> {
  const store = await openStore(directory)
  defer(() => store.close())
  await fromCallers(CALLERS, WARM_UP, index => store.admit(benchJob(index)))
  const started = performance.now()
  await fromCallers(CALLERS, JOBS, index => {
    slowdown()
    return store.admit(benchJob(WARM_UP + index))
  })
  return (JOBS / (performance.now() - started)) * 1000
}

/** The rows of the same jobs, made beforehand, put into the same schema with the same durability by nothing but node:sqlite. */
export async function raw({ directory, defer }: SideContext, jobs: number, jobsPerTransaction: number): Promise<number> {
  await (await openStore(directory)).close()
  const db = new DatabaseSync(join(directory, 'skein.db'))
  defer(() => db.close())
  db.exec('PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -16384')
  const insertJob = db.prepare(`INSERT INTO job (seq, id, state, epoch, priority, created_at, updated_at, queue_deadline,
    cancel_requested, undelivered, sealed, last_n) VALUES (?, ?, 'queued', 0, 0, ?, ?, ?, 0, 0, 0, 1)`)
  const insertRequest = db.prepare('INSERT INTO request (job, title, spec) VALUES (?, ?, ?)')
  const insertEvent = db.prepare('INSERT INTO event (seq, job, n, at, body) VALUES (?, ?, 1, ?, ?)')
  const rows = Array.from({ length: WARM_UP + jobs }, (_, index) => {
    const { job, events } = benchJob(index)
    return { ...job, seq: index + 1, spec: JSON.stringify(job.spec), event: JSON.stringify(events[0]) }
  })
  const insert = (from: number, to: number) => {
    db.exec('BEGIN IMMEDIATE')
    for (const { seq, id, createdAt, updatedAt, queueDeadline, title, spec, event } of rows.slice(from, to)) {
      insertJob.run(seq, id, createdAt, updatedAt, queueDeadline)
      insertRequest.run(seq, title, spec)
      insertEvent.run(seq, seq, createdAt, event)
    }
    db.exec('COMMIT')
  }
  for (let from = 0; from < WARM_UP; from += 100) insert(from, from + 100)
  const started = performance.now()
  for (let from = WARM_UP; from < rows.length; from += jobsPerTransaction) insert(from, from + jobsPerTransaction)
  return (jobs / (performance.now() - started)) * 1000
}

const a = { what: `durable admission of 1 KiB jobs, ${CALLERS} callers`, run: (context: SideContext) => admission(context) }
const planted = {
  what: '50 µs more an admission',
  run: (context: SideContext) => admission(context, () => spin(50)),
}

export default defineBench(
  {
    name: 'admission',
    unit: 'jobs/s',
    a,
    b: { what: 'raw node:sqlite inserts of the same rows, 100 jobs a transaction', run: context => raw(context, JOBS, 100) },
    planted,
    bar: { atLeast: 0.5 },
    note: 'B inserts rows made beforehand into the same tables and indexes, synchronous=FULL, one fsync a transaction.',
  },
  {
    name: 'admission-serial',
    unit: 'jobs/s',
    a,
    b: { what: 'raw node:sqlite inserts of the same rows, one job a transaction', run: context => raw(context, SERIAL_JOBS, 1) },
    planted,
    bar: { atLeast: 20 },
    ceiling: { what: 'raw inserts of the same rows, 100 jobs a transaction', run: context => raw(context, JOBS, 100) },
    note: 'The ratio is what an fsync costs against the rest: large on a disk whose fsync takes milliseconds, small on a fast one.',
  },
)
