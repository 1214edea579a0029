import type { Writable } from 'node:stream'
import { giveBack } from '#server/lib/give-back.ts'
import type { Source } from './streams.ts'

/** Bytes that may be on their way to a caller; the next are read once there is room. */
const MAX_BEHIND_BYTES = 512 * 1024

/**
 * Writes the rest of an answer whose head is sent, and ends it. While some of it is on its way the next is read; the memory of what
 * has gone is given back at once. A caller that goes away ends the source. @throws what the source throws
 */
export async function sendBytes(source: Source, outgoing: Writable): Promise<void> {
  let behind = 0
  let wake = () => {}
  const gone = () => {
    wake()
    source.return().catch(() => {})
  }
  const write = (piece: Uint8Array) => {
    const { byteLength } = piece
    behind += byteLength
    outgoing.write(piece, error => {
      behind -= byteLength
      // One that failed may still be in the hands of the system.
      if (!error) giveBack(piece)
      wake()
    })
  }
  outgoing.once('close', gone)
  if (outgoing.destroyed) gone()
  try {
    while (!outgoing.destroyed) {
      if (behind >= MAX_BEHIND_BYTES) {
        await new Promise<void>(resolve => {
          wake = resolve
        })
        continue
      }
      const { done, value } = await source.next()
      if (done) break
      if (value.byteLength > 0 && !outgoing.destroyed) write(value)
    }
    outgoing.end()
  } finally {
    outgoing.off('close', gone)
  }
}
