import type { Disposable } from './signal.ts'

/** Time as the extension needs it, so that tests can set it. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  after(ms: number, run: () => void): Disposable
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms)
    return { dispose: () => clearTimeout(timer) }
  },
}
