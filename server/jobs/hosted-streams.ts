import type { Clock } from '#server/lib/clock.ts'
import type { Logs } from '#server/logs/index.ts'
import type { HostedEvent, HostedKey, HostedStore } from '#server/store/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import { fileNameOf } from './hosted-attempt.ts'
import { followLog } from './hosted-files.ts'
import type { HomeOutflow } from './outflow.ts'

/** Events told at once, and characters of them together: one event more may go past that. */
const MAX_EVENTS = 500
const MAX_CHARACTERS = 4 * 1024 * 1024
/** Events that are read at once. */
const READ_EVENTS = 16
/** Until a home is answered whose attempt waits for it to take more, ms. */
const FULL_WAIT_MS = 200

const isSame = (one: HostedKey, other: HostedKey): boolean =>
  one.jobId === other.jobId && one.epoch === other.epoch && one.home === other.home

/** How long a home waits for what is new. */
interface Waiting {
  readonly waitMs: number
  /** Of the attempt, while it runs. */
  readonly outflow: HomeOutflow | undefined
  readonly signal: AbortSignal
}

/** What an attempt of another node's job tells its home while it goes on: events, and log. */
export function createHostedStreams({ hosted, logs, clock }: { hosted: HostedStore; logs: Logs; clock: Clock }) {
  const isOver = async (key: HostedKey) => (await hosted.get(key))?.end !== null

  /** Listens for what is new of an attempt from now on; `come` fulfils with it, or when the time is over. */
  function listen(key: HostedKey, { waitMs, outflow, signal }: Waiting): { come: Promise<void>; stop(): void } {
    let stop = () => {}
    const come = new Promise<void>(resolve => {
      const done = () => resolve()
      // One that is made to wait needs the home's next word soon.
      const cancel = clock.after(outflow?.isFull() ? Math.min(waitMs, FULL_WAIT_MS) : waitMs, done)
      const offDue = outflow?.onDue(done)
      const unsubscribe = hosted.onChange(changed => isSame(changed, key) && done())
      signal.addEventListener('abort', done, { once: true })
      stop = () => {
        cancel()
        unsubscribe()
        offDue?.()
        signal.removeEventListener('abort', done)
      }
    })
    return { come, stop }
  }

  /** The next events, as many as an answer may hold. */
  async function page(key: HostedKey, after: number): Promise<HostedEvent[]> {
    const events: HostedEvent[] = []
    let characters = 0
    for (;;) {
      const more = await hosted.events(key, events.at(-1)?.n ?? after, READ_EVENTS)
      for (const event of more) {
        if (events.length >= MAX_EVENTS || characters >= MAX_CHARACTERS) return events
        characters += JSON.stringify(event.body).length
        events.push(event)
      }
      if (more.length < READ_EVENTS) return events
    }
  }

  return {
    /** Events after one of them; waits for some while there are none and the attempt is not over. */
    async events(key: HostedKey, after: number, waiting: Waiting): Promise<HostedEvent[]> {
      // Before anything is read, so that what is written meanwhile is not missed.
      const news = listen(key, waiting)
      try {
        const events = await page(key, after)
        if (events.length > 0 || (await isOver(key))) return events
        await news.come
        return await page(key, after)
      } finally {
        news.stop()
      }
    },
    /** Log bytes from an offset until the attempt is over. @throws {ApiError} `offset_out_of_range` */
    async log(key: HostedKey, offset: number, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
      const name = fileNameOf(key)
      if (offset > (await logs.size(name)))
        throw new ApiError('offset_out_of_range', `Offset ${offset} is past the end of the attempt's log.`)
      const onNews = (listener: () => void) => hosted.onChange(changed => isSame(changed, key) && listener())
      return followLog(logs, name, offset, { isOver: () => isOver(key), onNews }, signal)
    },
  }
}
