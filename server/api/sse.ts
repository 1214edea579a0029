import type { Clock } from '#server/lib/clock.ts'
import { HEARTBEAT_MS } from '#shared/contract/index.ts'
import type { JobEvent } from '#shared/model/index.ts'
import { byteStream } from './streams.ts'

const encoder = new TextEncoder()
/** A comment, which clients skip: it shows both sides that the connection lives, and keeps proxies from ending it. */
const HEARTBEAT = encoder.encode(':\n\n')

export interface SseOptions {
  readonly clock: Pick<Clock, 'after'>
  /** Told when the events fail; the stream then ends. */
  readonly broken: (cause: unknown) => void
}

/**
 * Events as server-sent events (HTML Living Standard, 9.2). The id of each is its number `n`, which a client sends back as
 * Last-Event-ID; its name is the type of the event. Silence is broken every 10 s.
 */
export function sseBytes(events: AsyncIterable<JobEvent>, { clock, broken }: SseOptions): ReadableStream<Uint8Array> {
  return byteStream(frames(events, clock), broken)
}

async function* frames(events: AsyncIterable<JobEvent>, clock: SseOptions['clock']): AsyncGenerator<Uint8Array, void> {
  const iterator = events[Symbol.asyncIterator]()
  try {
    let next = iterator.next()
    for (;;) {
      const silence = Promise.withResolvers<null>()
      const cancel = clock.after(HEARTBEAT_MS, () => silence.resolve(null))
      const item = await Promise.race([next, silence.promise]).finally(cancel)
      if (item === null) {
        yield HEARTBEAT
        continue
      }
      if (item.done) return
      const { n, body } = item.value
      yield encoder.encode(`id: ${n}\nevent: ${body.type}\ndata: ${JSON.stringify(item.value)}\n\n`)
      next = iterator.next()
    }
  } finally {
    // Not awaited: events that are still waiting for the next one would not answer before it has come.
    iterator.return?.().catch(() => {})
  }
}
