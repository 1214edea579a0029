import { cp, mkdir, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { defineBench, type SideContext } from './bench.ts'
import { openPlainJob } from './peer.ts'
import { benchJob, drain, fill, openStore, spin } from './workload.ts'

const JOBS = 10_000
const WARM_UP = 1_000

async function product({ directory, defer }: SideContext, options: { run?: () => void } = {}): Promise<number> {
  const store = await openStore(directory)
  defer(() => store.close())
  await fill(store, WARM_UP + JOBS)
  await drain(store, WARM_UP, options)
  return drain(store, JOBS, options)
}

/** Waits until what was copied is on disk: gigabytes that the kernel still writes back would slow the fsyncs that are measured. */
async function settle(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const file = await open(join(directory, name))
    await file.sync()
    await file.close()
  }
}

/** Drains with a backlog that stays as long as it is: each claimed job is followed by a new one. */
async function drainBacklog({ directory, fixture, defer }: SideContext, backlog: number, run = () => {}): Promise<number> {
  await cp(join(fixture, String(backlog)), directory, { recursive: true })
  await settle(directory)
  const store = await openStore(directory)
  defer(() => store.close())
  let next = backlog
  const options = { run, refill: () => benchJob(next++) }
  await drain(store, WARM_UP, options)
  return drain(store, JOBS, options)
}

async function plainjob({ directory, defer }: SideContext): Promise<number> {
  const queue = await openPlainJob(directory)
  defer(() => queue.close())
  queue.fill(WARM_UP + JOBS, benchJob(0).job.spec)
  let completed = 0
  let started = 0
  await new Promise<void>((resolve, reject) => {
    const worker = queue.worker(1, {
      onCompleted() {
        completed += 1
        if (completed === WARM_UP) started = performance.now()
        if (completed === WARM_UP + JOBS) worker.stop().then(resolve, reject)
      },
    })
    worker.start().catch(reject)
  })
  return (JOBS / (performance.now() - started)) * 1000
}

const b = { what: 'npm plainjob: one row a job, no history, no fsync', run: plainjob }
const slow = { what: '100 µs more a job', run: () => spin(100) }

export default defineBench(
  {
    name: 'drain',
    unit: 'jobs/s',
    a: {
      what: 'claim, run a no-op, end; every state on the way an event, 6 rows a job, fsync',
      run: context => product(context),
    },
    b,
    planted: { what: slow.what, run: context => product(context, { run: slow.run }) },
    bar: { atLeast: 2 },
    note: 'The goal is 5.',
  },
  {
    name: 'drain-backlog',
    unit: 'jobs/s',
    async prepare(fixture) {
      for (const backlog of [1_000, 1_000_000]) {
        await mkdir(join(fixture, String(backlog)))
        const store = await openStore(join(fixture, String(backlog)))
        await fill(store, backlog)
        await store.close()
      }
    },
    a: { what: 'drain at a backlog of 1,000,000 jobs', run: context => drainBacklog(context, 1_000_000) },
    b: { what: 'drain at a backlog of 1,000 jobs', run: context => drainBacklog(context, 1_000) },
    planted: { what: slow.what, run: context => drainBacklog(context, 1_000_000, slow.run) },
    bar: { atLeast: 0.9 },
    note: 'On both sides a new job is admitted for each that is claimed, so that the backlog keeps its length.',
  },
)
