import type { Clock } from '#server/lib/clock.ts'
import type { JobState } from '#shared/model/index.ts'

/** From the work's arrival to the start of an attempt, and from there to its end, ms. */
export interface Times {
  readonly startMs: number
  readonly runMs: number
}

/** Times an attempt on another node, on this node's clock and by what it hears of it. */
export interface Stopwatch {
  /** All of the work is there. */
  arrived(): void
  /** A report came. */
  heard(state: JobState, hasEnded: boolean): void
  /** A report did not come when it should have. */
  missed(): void
  /** null when it has not ended, or not all of it was heard of in time. */
  times(): Times | null
}

/** @param isFromStart whether it was followed from its award on */
export function createStopwatch(clock: Pick<Clock, 'monotonic'>, isFromStart: boolean): Stopwatch {
  let isWhole = isFromStart
  let arrivedAt: number | null = null
  let startedAt: number | null = null
  let times: Times | null = null

  return {
    arrived() {
      arrivedAt = clock.monotonic()
    },
    heard(state, hasEnded) {
      const now = clock.monotonic()
      if (state !== 'placing') startedAt ??= now
      if (!hasEnded || times || startedAt === null) return
      // One that is over at once may be heard of before the last piece of its snapshot is known to be there.
      times = { startMs: Math.max(0, startedAt - (arrivedAt ?? startedAt)), runMs: now - startedAt }
    },
    missed() {
      if (!times) isWhole = false
    },
    times: () => (isWhole ? times : null),
  }
}
