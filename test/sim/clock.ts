import type { Clock } from '#server/lib/clock.ts'
import type { Timeline } from './timeline.ts'

/** The clock of one machine on a timeline all machines share. */
export interface MachineClock extends Clock {
  /** Steps the wall clock without time passing, as an administrator or NTP does. */
  step(ms: number): void
}

/** Wall clocks begin here, give or take what each is wrong by. */
const BEGIN = Date.UTC(2026, 0, 1)

/**
 * @param input.rate how fast it goes: 1.001 gains a millisecond a second
 * @param input.offset what its wall clock is wrong by, ms
 * @param input.deliver how a timer that is due reaches the machine; at once when not given
 */
export function createMachineClock(
  timeline: Timeline,
  input: { rate?: number; offset?: number; deliver?: (call: () => void) => void } = {},
): MachineClock {
  const { rate = 1, offset = 0, deliver = call => call() } = input
  // Where a monotonic clock begins means nothing; to count from one another's is an error that then shows.
  const origin = 1_000_000 + Math.abs(offset)
  let stepped = 0
  return {
    now: () => Math.floor(BEGIN + offset + stepped + timeline.now() * rate),
    monotonic: () => origin + timeline.now() * rate,
    after(ms, call) {
      let wanted: (() => void) | null = call
      // As `setTimeout` does it: no timer waits less than a millisecond, or one could be armed for ever without time passing.
      const cancel = timeline.after(Math.max(1, ms) / rate, () => deliver(() => wanted?.()))
      return () => {
        wanted = null
        cancel()
      }
    },
    step(ms) {
      stepped += ms
    },
  }
}
