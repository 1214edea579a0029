import { uptime } from 'node:os'

/** Time as a port, so that timeouts and recovery can be tested without waiting. */
export interface Clock {
  /** Wall clock, ms since 1970. May step in either direction; never used to measure a duration. */
  now(): number
  /** Monotonic, ms from an unknown origin; goes on while the machine sleeps, which timers do not. */
  monotonic(): number
  /** Calls once after `ms`; the result cancels. Timers never keep the process alive. */
  after(ms: number, call: () => void): () => void
}

/** setTimeout fires at once for delays past 2^31 ms; longer waits are walked in steps. */
const LONGEST_TIMER_MS = 2_147_000_000

/** Fulfils when this turn of the event loop is over: what else it asks for can then be done in one go. */
export const endOfTurn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

/** How often it is looked whether the machine slept, and the least sleep that is noticed, ms. */
const LOOK_MS = 1_000

/** What a system clock reads, ms each. */
export interface TimeSources {
  now(): number
  /** Never steps back; stops while the machine sleeps on Linux (CLOCK_MONOTONIC), and only there. */
  awake(): number
  /** Never steps back, and does not stop (CLOCK_BOOTTIME); read from a file, so asked seldom. */
  sinceBoot(): number
}

export function createSystemClock({ now, awake, sinceBoot }: TimeSources): Clock {
  const ahead = sinceBoot() - awake()
  let slept = 0
  let lookedAt = awake()
  return {
    now,
    monotonic() {
      const time = awake()
      if (time - lookedAt >= LOOK_MS) {
        lookedAt = time
        const asleep = sinceBoot() - time - ahead
        if (asleep - slept >= LOOK_MS) slept = asleep
      }
      return time + slept
    },
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
}

const awake = (): number => performance.now()

export const systemClock: Clock = createSystemClock({
  now: () => Date.now(),
  awake,
  sinceBoot: process.platform === 'linux' ? () => uptime() * 1000 : awake,
})
