/** Time as a port, so that timeouts and recovery can be tested without waiting. */
export interface Clock {
  /** Wall clock, ms since 1970. May step in either direction; never used to measure a duration. */
  now(): number
  /** Monotonic, ms from an unknown origin. */
  monotonic(): number
  /** Calls once after `ms`; the result cancels. Timers never keep the process alive. */
  after(ms: number, call: () => void): () => void
}

/** setTimeout fires at once for delays past 2^31 ms; longer waits are walked in steps. */
const LONGEST_TIMER_MS = 2_147_000_000

/** Fulfils when this turn of the event loop is over: what else it asks for can then be done in one go. */
export const endOfTurn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, call) {
    let timer: NodeJS.Timeout
    const arm = (left: number) => {
      const step = Math.min(left, LONGEST_TIMER_MS)
      timer = setTimeout(() => (left > step ? arm(left - step) : call()), Math.max(0, step))
      timer.unref()
    }
    arm(ms)
    return () => clearTimeout(timer)
  },
}
