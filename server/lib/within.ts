import type { Clock } from './clock.ts'

/**
 * Gives a task a signal that aborts after `ms` on this clock, or when `signal` does. Unlike `AbortSignal.timeout`, no timer is
 * left when the task is over, and the time is the clock's.
 */
export async function within<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal | null,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const abort = () => controller.abort(signal?.reason)
  const cancel = clock.after(ms, () => controller.abort(new DOMException(`It took longer than ${ms} ms`, 'TimeoutError')))
  signal?.addEventListener('abort', abort, { once: true })
  if (signal?.aborted) abort()
  try {
    return await task(controller.signal)
  } finally {
    cancel()
    signal?.removeEventListener('abort', abort)
  }
}

/** What comes of work that nothing stops, or something else when it takes longer than `ms`. @throws what the work throws by then */
export async function soonOr<T, U>(clock: Clock, ms: number, work: Promise<T>, late: U): Promise<T | U> {
  let cancel = () => {}
  try {
    return await Promise.race([work, new Promise<U>(resolve => (cancel = clock.after(ms, () => resolve(late))))])
  } finally {
    cancel()
  }
}

/** Waits for work that nothing stops, and no longer than `ms`. Whether it is over by then is for the caller to see. */
export async function atMost(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  await soonOr(clock, ms, work, null)
}
