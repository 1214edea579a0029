import type { Readable } from 'node:stream'
import { MAX_LINE } from './inside/protocol.ts'

/** Lines of a stream of UTF-8, with bounded memory whatever the other side sends: a line that is too long comes in pieces. */
export async function* lines(stream: Readable): AsyncGenerator<string> {
  let rest = ''
  const decoder = new TextDecoder()
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = parts.pop() ?? ''
    yield* parts
    if (rest.length > MAX_LINE) {
      yield rest
      rest = ''
    }
  }
  if (rest !== '') yield rest
}
