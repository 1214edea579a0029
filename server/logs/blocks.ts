import { giveBack } from '#server/lib/give-back.ts'

/** A block, bytes: what goes to the disk at once at most. */
const BLOCK_BYTES = 256 * 1024
/** Blocks kept for the next bytes: one fills while another is written. */
const KEPT_BLOCKS = 2

/**
 * Bytes on their way to a file, copied into blocks that are used again: memory made anew for each write is only given back by a
 * collection of all garbage, and at the rate of a log those take longer than the disk.
 */
export interface Blocks {
  readonly isEmpty: boolean
  /** Copies them. */
  push(bytes: Uint8Array): void
  /** The first that are not taken yet, a block at most; valid until it is called again. */
  take(): Uint8Array
}

interface Block {
  readonly memory: Uint8Array
  bytes: number
}

export function createBlocks(): Blocks {
  const filled: Block[] = []
  const free: Block[] = []
  let taken: Block | null = null

  /** One that has room. */
  function last(): Block {
    const block = filled.at(-1)
    if (block && block.bytes < BLOCK_BYTES) return block
    const next = free.pop() ?? { memory: Buffer.allocUnsafeSlow(BLOCK_BYTES), bytes: 0 }
    filled.push(next)
    return next
  }

  return {
    get isEmpty() {
      return filled.length === 0
    },
    push(bytes) {
      for (let from = 0; from < bytes.byteLength; ) {
        const block = last()
        const piece = bytes.subarray(from, from + BLOCK_BYTES - block.bytes)
        block.memory.set(piece, block.bytes)
        block.bytes += piece.byteLength
        from += piece.byteLength
      }
    },
    take() {
      if (taken && free.length < KEPT_BLOCKS) {
        taken.bytes = 0
        free.push(taken)
      } else if (taken) giveBack(taken.memory)
      taken = filled.shift() ?? null
      return taken ? taken.memory.subarray(0, taken.bytes) : new Uint8Array()
    },
  }
}
