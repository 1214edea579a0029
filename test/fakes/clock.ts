import type { Clock } from '#server/lib/clock.ts'

/** A clock that moves only when told; timers fire in order, each seeing the time it was set for. */
export interface VirtualClock extends Clock {
  /** Lets `ms` pass. */
  advance(ms: number): void
  /** Steps the wall clock without time passing, as an administrator or NTP does. */
  step(ms: number): void
  /** Timers that wait. */
  waiting(): number
}

export function virtualClock(start = Date.UTC(2026, 0, 1)): VirtualClock {
  let elapsed = 0
  let stepped = 0
  const timers = new Set<{ at: number; call: () => void }>()
  const nextUntil = (end: number) => [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]

  return {
    now: () => start + elapsed + stepped,
    monotonic: () => elapsed,
    after(ms, call) {
      const timer = { at: elapsed + Math.max(0, ms), call }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    advance(ms) {
      const end = elapsed + ms
      for (let timer = nextUntil(end); timer; timer = nextUntil(end)) {
        timers.delete(timer)
        elapsed = Math.max(elapsed, timer.at)
        timer.call()
      }
      elapsed = end
    },
    step(ms) {
      stepped += ms
    },
    waiting: () => timers.size,
  }
}
