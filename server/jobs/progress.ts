import type { Clock } from '#server/lib/clock.ts'
import type { JobRow, Store } from '#server/store/index.ts'
import type { EventBody, JobState } from '#shared/model/index.ts'
import { Stop } from './stop.ts'

/** How long a move may wait for something to be written with, ms. */
const WAIT_MS = 50

/** Moves that are not written yet: the state that is, and the events that lead on from it. */
export interface Unwritten {
  readonly from: JobState
  readonly events: readonly EventBody[]
}

/**
 * Where one attempt stands, and the only one to write it while it runs. What an attempt has done before its first process is
 * forgotten with it in a crash, and what came after its last one is told by its end; so moves wait, briefly, for what must last.
 */
export interface Progress {
  /** The job as the attempt has moved it. */
  readonly job: JobRow
  /** @throws whatever made an earlier write fail */
  move(state: 'preparing' | 'running' | 'checking', events?: readonly EventBody[]): void
  /** Writes the moves so far with the next write of this node: before anything else is told of the job. */
  flush(): void
  /**
   * Remembers a process, so that a later server can end exactly that one; all moves before it are then on disk too.
   * @throws {Stop} when the job is no longer ours: ended, or under a newer epoch.
   */
  started(process: { pid: number; startTime: string }, purpose: string): Promise<void>
  /** Hands over the moves that still wait, to be written with the end. */
  unwritten(): Unwritten
}

export function createProgress({
  job: claimed,
  store,
  clock,
}: {
  job: JobRow
  store: Pick<Store, 'change'>
  clock: Clock
}): Progress {
  let job = claimed
  let written = job.state
  let events: EventBody[] = []
  let cancelTimer = () => {}
  let failure: { cause: unknown } | null = null

  const requireWritten = () => {
    if (failure) throw failure.cause
  }

  function unwritten(): Unwritten {
    const taken = { from: written, events }
    cancelTimer()
    written = job.state
    events = []
    return taken
  }

  /** The change that writes what waits, and more with it. */
  function change(more: readonly EventBody[] = []) {
    const { from, events: moves } = unwritten()
    const { id, epoch, state } = job
    return {
      id,
      guard: { state: from, epoch },
      patch: moves.length > 0 ? { state } : {},
      events: [...moves, ...more],
      at: clock.now(),
    }
  }

  function flush(): void {
    if (events.length === 0) return
    store.change(change(), { durable: false }).catch(cause => {
      failure ??= { cause }
    })
  }

  return {
    get job() {
      return job
    },
    move(state, told = []) {
      requireWritten()
      if (events.length === 0) cancelTimer = clock.after(WAIT_MS, flush)
      events.push({ type: 'job.state', from: job.state, to: state, epoch: job.epoch, failure: null }, ...told)
      job = { ...job, state }
    },
    flush,
    async started({ pid, startTime }, purpose) {
      const { id: jobId, epoch } = job
      const ours = await store.change({
        ...change([{ type: 'attempt.process', epoch, pid, startTime, purpose }]),
        process: { jobId, epoch, purpose, pid, startTime },
      })
      requireWritten()
      if (!ours) throw new Stop('cancel')
    },
    unwritten,
  }
}
