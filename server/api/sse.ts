import type { JobEvent } from '#shared/model/index.ts'
import { byteStream } from './streams.ts'

const encoder = new TextEncoder()

/** Events as server-sent events; the id of each is its number `n`, which a client sends back as Last-Event-ID. */
export function sseBytes(events: AsyncIterable<JobEvent>): ReadableStream<Uint8Array> {
  return byteStream(frames(events), () => {})
}

async function* frames(events: AsyncIterable<JobEvent>): AsyncGenerator<Uint8Array, void> {
  for await (const event of events) yield encoder.encode(`id: ${event.n}\nevent: job\ndata: ${JSON.stringify(event)}\n\n`)
}
