import type { Readable } from 'node:stream'
import { giveBack, hasOwnMemory } from './give-back.ts'

/**
 * What a stream brings, piece by piece as it came: its own iterator would copy pieces into one. A piece is valid until the next is
 * asked for; its memory is given back then.
 * @param isOwn whether nothing but pieces of this stream lies in the memory of a piece; default: where it is all of it
 * @throws what the stream fails with, and when it ends too early
 */
export async function* received(
  stream: Readable,
  isOwn: (piece: Uint8Array) => boolean = hasOwnMemory,
): AsyncGenerator<Uint8Array> {
  const arrived: Uint8Array[] = []
  let [isOver, failure, wake] = [false, null as Error | null, () => {}]
  const end = (why: Error | null) => {
    if (!isOver) failure = why
    isOver = true
    wake()
  }
  const onClose = () => end(stream.errored ?? new Error('It broke off'))
  stream.on('data', (piece: Uint8Array) => {
    arrived.push(piece)
    stream.pause()
    wake()
  })
  stream.once('end', () => end(null))
  stream.once('error', end)
  stream.once('close', onClose)
  if (stream.destroyed) onClose()
  try {
    let last: Uint8Array | undefined
    for (;;) {
      const piece = arrived.shift()
      if (piece) {
        // What came at once lies in one memory, and is several pieces where something stood between them.
        if (last && last.buffer !== piece.buffer && isOwn(last)) giveBack(new Uint8Array(last.buffer))
        last = piece
        yield piece
      } else if (isOver) {
        if (failure) throw failure
        return
      } else {
        const more = new Promise<void>(resolve => {
          wake = resolve
        })
        stream.resume()
        await more
      }
    }
  } finally {
    stream.destroy()
  }
}
