import { join } from 'node:path'
import { systemClock } from '#server/lib/clock.ts'
import type { Change, JobRow, NewJob, Store } from '#server/store/index.ts'
import { sqliteStore } from '#server/store/sqlite/index.ts'
import { JobSpec, type JobState } from '#shared/model/index.ts'

/** A request of 1 KiB as JSON. */
const spec = JobSpec.parse({ agent: 'command', argv: ['true'], task: 'x'.repeat(700) })
const at = Date.now()

/** Number `index` of many alike jobs. */
export function benchJob(index: number): NewJob {
  const id = index.toString(32).padStart(14, '0')
  const job: JobRow = {
    id,
    state: 'queued',
    epoch: 0,
    title: 'a job of the benchmark',
    priority: 0,
    spec,
    snapshot: null,
    createdAt: at,
    updatedAt: at,
    startedAt: null,
    endedAt: null,
    queueDeadline: at + 86_400_000,
    cancelRequested: false,
    retryOf: null,
    failure: null,
    result: null,
    undelivered: false,
    losses: 0,
  }
  const { title, priority, snapshot, retryOf } = job
  return {
    job,
    idempotency: null,
    wording: null,
    events: [{ type: 'job.created', title, agent: spec.agent, priority, snapshot, retryOf }],
  }
}

/** A store in a directory, with a listener as a server has one. */
export async function openStore(directory: string): Promise<Store> {
  const store = await sqliteStore({ file: join(directory, 'skein.db'), clock: systemClock })
  store.onEvents(() => {})
  return store
}

/** Fills a store with queued jobs. */
export async function fill(store: Store, jobs: number): Promise<void> {
  const BATCH = 1000
  for (let from = 0; from < jobs; from += BATCH) {
    await Promise.all(Array.from({ length: Math.min(BATCH, jobs - from) }, (_, index) => store.admit(benchJob(from + index))))
  }
}

/** Calls `work` with 0, 1, … from a number of callers, each of which waits for its call before it makes the next. */
export async function fromCallers(callers: number, calls: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const caller = async () => {
    while (next < calls) await work(next++)
  }
  await Promise.all(Array.from({ length: callers }, caller))
}

/**
 * Takes a job from `placing` to its end as an attempt without checks does: one write when its process starts, which nobody waits
 * for here because there is no process, and one when it ends.
 */
async function toTheEnd(store: Store, job: JobRow, run: () => Promise<void> | void): Promise<void> {
  const change = (...steps: [JobState, ...JobState[], JobState]): Change => {
    const [from, to] = [steps[0], steps.at(-1) ?? steps[0]]
    return {
      id: job.id,
      guard: { state: from, epoch: job.epoch },
      patch: to === 'succeeded' ? { state: to, endedAt: at } : { state: to },
      events: steps.slice(1).map((state, index) => ({
        type: 'job.state',
        from: steps[index] ?? from,
        to: state,
        epoch: job.epoch,
        failure: null,
      })),
      at,
    }
  }
  const begun = store.change(change('placing', 'preparing', 'running'), { durable: false })
  await run()
  const ended = store.change(change('running', 'checking', 'succeeded'))
  if (!(await begun) || !(await ended)) throw new Error(`Job ${job.id} was not where it was left`)
}

/**
 * Claims, runs and ends jobs until `jobs` of them are done, as a scheduler with 256 slots does: the slots that come free together
 * claim together, so that the end of some jobs and the claim of the next share a transaction.
 * With `refill`, a new job is admitted for each that is claimed, so that the backlog stays as long as it is.
 * @returns jobs a second.
 */
export async function drain(
  store: Store,
  jobs: number,
  options: { run?: () => Promise<void> | void; refill?: () => NewJob },
): Promise<number> {
  const LANES = 4
  const SLOTS_A_LANE = 64
  const started = performance.now()
  let left = jobs

  async function lane(): Promise<void> {
    while (left > 0) {
      const limit = Math.min(SLOTS_A_LANE, left)
      left -= limit
      const { refill } = options
      const refilled = refill ? Array.from({ length: limit }, () => store.admit(refill())) : []
      const claimed = await store.claim(limit, at)
      await Promise.all(refilled)
      if (claimed.length < limit) throw new Error(`Only ${claimed.length} of ${limit} jobs could be claimed`)
      await Promise.all(claimed.map(job => toTheEnd(store, job, options.run ?? (() => {}))))
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  return (jobs / (performance.now() - started)) * 1000
}

/** Holds the processor for some microseconds: the slowdown that benches plant. */
export function spin(microseconds: number): void {
  const end = performance.now() + microseconds / 1000
  while (performance.now() < end);
}
