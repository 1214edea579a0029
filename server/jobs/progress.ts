import type { Clock } from '#server/lib/clock.ts'
import type { JobRow, Store } from '#server/store/index.ts'
import type { EventBody } from '#shared/model/index.ts'
import { Stop } from './stop.ts'

/** Where one attempt stands, and the only one to write it while it runs. */
export interface Progress {
  /** The job as it was last asked to be written; its state and epoch guard the next write. */
  readonly job: JobRow
  /**
   * Moves the job on without waiting for the disk: what an attempt has done before its first process is forgotten with it in a
   * crash, so a state may be written with the next thing that must last.
   * @throws whatever made an earlier write fail
   */
  move(state: 'preparing' | 'running' | 'checking', events?: readonly EventBody[]): void
  /**
   * Remembers a process, so that a later server can end exactly that one; all moves before it are then on disk too.
   * @throws {Stop} when the job is no longer ours: ended, or under a newer epoch.
   */
  started(process: { pid: number; startTime: string }, purpose: string): Promise<void>
}

export function createProgress({ job: claimed, store, clock }: { job: JobRow; store: Store; clock: Clock }): Progress {
  let job = claimed
  let failure: { cause: unknown } | null = null

  const requireWritten = () => {
    if (failure) throw failure.cause
  }
  const guard = () => ({ state: job.state, epoch: job.epoch })

  return {
    get job() {
      return job
    },
    move(state, events = []) {
      requireWritten()
      const moved: EventBody = { type: 'job.state', from: job.state, to: state, epoch: job.epoch, failure: null }
      store
        .change({ id: job.id, guard: guard(), patch: { state }, events: [moved, ...events], at: clock.now() }, { durable: false })
        .catch(cause => {
          failure ??= { cause }
        })
      job = { ...job, state }
    },
    async started({ pid, startTime }, purpose) {
      const { id, epoch } = job
      const ours = await store.change({
        id,
        guard: guard(),
        patch: {},
        events: [{ type: 'attempt.process', epoch, pid, startTime, purpose }],
        at: clock.now(),
        process: { jobId: id, epoch, purpose, pid, startTime },
      })
      requireWritten()
      if (!ours) throw new Stop('cancel')
    },
  }
}
