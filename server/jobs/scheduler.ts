import { Lifetime } from '#server/lib/lifetime.ts'
import type { JobRow } from '#server/store/index.ts'
import type { JobId } from '#shared/model/index.ts'
import { runAttempt } from './attempt.ts'
import type { Ending } from './ending.ts'
import type { Permissions } from './permissions.ts'
import type { JobDeps } from './ports.ts'
import { createProgress } from './progress.ts'
import { Stop, type StopKind } from './stop.ts'

/** Claims queued jobs while there is room and runs their attempts. Idle, it does nothing at all: the write of a job wakes it. */
export interface Scheduler {
  start(): Promise<void>
  /** Tells the attempt of a job to end, if one runs here. */
  stopJob(id: JobId, kind: StopKind): boolean
  /** Claims no more, tells every attempt to end, and waits for them. */
  stop(): Promise<void>
  running(): number
}

interface Running {
  readonly controller: AbortController
  readonly done: Promise<void>
}

export function createScheduler(deps: JobDeps, ending: Ending, permissions: Permissions, ended: () => void): Scheduler {
  const { store, clock, settings, log } = deps
  /** Attempts that are not settled yet, by job. */
  const running = new Map<JobId, Running>()
  /** Places taken; an attempt gives its place back before its job is settled. */
  let occupied = 0
  let open = false
  let pumping = false
  let again = false
  let cancelDeadline = () => {}
  let unsubscribe = () => {}

  /** Fills every free slot. One round at a time; a wake-up during a round asks for another. */
  async function pump(): Promise<void> {
    again = true
    if (pumping) return
    pumping = true
    try {
      while (again && open) {
        again = false
        const free = settings.concurrency - occupied
        if (free <= 0) continue
        for (const job of await store.claim(free, clock.now())) begin(job)
      }
      await armDeadline()
    } catch (error) {
      log.error({ err: error }, 'Failed to claim jobs')
    } finally {
      pumping = false
    }
  }

  function begin(job: JobRow): void {
    const controller = new AbortController()
    occupied += 1
    const done = run(job, controller.signal)
      .catch(error => log.error({ err: error, jobId: job.id }, 'Failed to conclude an attempt; the next start will'))
      .finally(() => {
        // A job that went back to the queue may run again already.
        if (running.get(job.id)?.controller === controller) running.delete(job.id)
        ended()
      })
    running.set(job.id, { controller, done })
    if (!open) controller.abort(new Stop('shutdown'))
  }

  async function run(claimed: JobRow, signal: AbortSignal): Promise<void> {
    const progress = createProgress({ job: claimed, ...deps })
    await using leftovers = new Lifetime()
    const end = await runAttempt(progress, deps, permissions, signal, leftovers).finally(() => {
      occupied -= 1
    })
    // Before the next is claimed, so that the end of this job and that claim share a write.
    const settled = ending.settle(progress.job, end, progress.unwritten())
    void pump()
    await settled
  }

  /** Jobs that waited too long fail, with one timer for the next deadline of all. */
  async function armDeadline(): Promise<void> {
    cancelDeadline()
    if (!open) return
    const now = clock.now()
    const { ids, next } = await store.overdue(now)
    for (const id of ids) await expire(id)
    if (next !== null && open) cancelDeadline = clock.after(Math.max(0, next - now), () => void pump())
  }

  async function expire(id: JobId): Promise<void> {
    const job = await store.job(id)
    if (job?.state !== 'queued') return
    const failure = {
      code: 'queue_timeout',
      detail: 'The job waited longer for its first attempt than it may (timeouts.queueMs).',
      remedy: 'Retry it when the node has room.',
    } as const
    const at = clock.now()
    const expired = await store.change({
      id,
      guard: { state: 'queued', epoch: job.epoch },
      patch: { state: 'failed', endedAt: at, failure },
      events: [{ type: 'job.state', from: 'queued', to: 'failed', epoch: job.epoch, failure }],
      at,
    })
    if (expired) await ending.seal(id)
  }

  return {
    async start() {
      open = true
      unsubscribe = store.onQueued(() => void pump())
      await pump()
    },
    stopJob(id, kind) {
      const attempt = running.get(id)
      attempt?.controller.abort(new Stop(kind))
      return attempt !== undefined
    },
    async stop() {
      open = false
      unsubscribe()
      cancelDeadline()
      for (const { controller } of running.values()) controller.abort(new Stop('shutdown'))
      await Promise.all([...running.values()].map(({ done }) => done))
    },
    running: () => running.size,
  }
}
