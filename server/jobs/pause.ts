import type { Clock } from '#server/lib/clock.ts'
import { stopKind } from './stop.ts'

/** Pauses between tries to reach a node, ms: doubled from the first to the last. */
export const FIRST_PAUSE_MS = 250
export const LAST_PAUSE_MS = 5_000

/** Lets `ms` pass, or less when the signal aborts meanwhile. After a cancel it still waits: the other node has to hear of it. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const cancel = clock.after(ms, done)
    function done() {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    if (signal.aborted && stopKind(signal) === 'shutdown') done()
    else signal.addEventListener('abort', done, { once: true })
  })
}
