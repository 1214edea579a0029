import type { Clock } from '#server/lib/clock.ts'
import type { HostedEvent, HostedKey, HostedStore } from '#server/store/index.ts'

const MAX_EVENTS = 500

/** What an attempt of another node's job tells its home. */
export function createHostedEvents({ hosted, clock }: { hosted: HostedStore; clock: Clock }) {
  const isOver = async (key: HostedKey) => (await hosted.get(key))?.end !== null

  /** Listens for what is new of an attempt from now on; `come` fulfils with it, or when the time is over. */
  function listen({ home, jobId, epoch }: HostedKey, waitMs: number, signal: AbortSignal): { come: Promise<void>; stop(): void } {
    let stop = () => {}
    const come = new Promise<void>(resolve => {
      const done = () => resolve()
      const cancel = clock.after(waitMs, done)
      const unsubscribe = hosted.onChange(changed => {
        if (changed.jobId === jobId && changed.epoch === epoch && changed.home === home) done()
      })
      signal.addEventListener('abort', done, { once: true })
      stop = () => {
        cancel()
        unsubscribe()
        signal.removeEventListener('abort', done)
      }
    })
    return { come, stop }
  }

  return {
    /** Events after one of them; waits for some while there are none and the attempt is not over. */
    async after(key: HostedKey, after: number, waitMs: number, signal: AbortSignal): Promise<HostedEvent[]> {
      // Before anything is read, so that what is written meanwhile is not missed.
      const news = listen(key, waitMs, signal)
      try {
        const events = await hosted.events(key, after, MAX_EVENTS)
        if (events.length > 0 || (await isOver(key))) return events
        await news.come
        return await hosted.events(key, after, MAX_EVENTS)
      } finally {
        news.stop()
      }
    },
  }
}
