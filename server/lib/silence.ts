import type { Clock } from './clock.ts'

/**
 * Passes a stream on, and breaks it off when nothing came for `ms` while something was waited for: a connection whose other end is
 * gone may never say so. How long a reader takes over what came does not count.
 * @param open begins the stream, which is to end when its signal aborts
 * @throws {DOMException} `TimeoutError` after a silence; the signal's reason when that aborts
 */
export async function* unlessSilent<T>(
  clock: Clock,
  ms: number,
  open: (signal: AbortSignal) => AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T> {
  const controller = new AbortController()
  const broken = Promise.withResolvers<never>()
  broken.promise.catch(() => {})
  const end = (reason: unknown) => {
    controller.abort(reason)
    broken.reject(reason)
  }
  const abort = () => end(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  const iterator = open(controller.signal)[Symbol.asyncIterator]()
  try {
    for (;;) {
      const cancel = clock.after(ms, () => end(new DOMException(`Nothing came for ${ms} ms`, 'TimeoutError')))
      const next = iterator.next()
      // Nobody listens to it any more once the silence has ended the wait.
      next.catch(() => {})
      try {
        const { done, value } = await Promise.race([next, broken.promise])
        if (done) return
        cancel()
        yield value
      } finally {
        cancel()
      }
    }
  } finally {
    signal.removeEventListener('abort', abort)
    controller.abort()
    void iterator.return?.().catch(() => {})
  }
}
