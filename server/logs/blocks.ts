/** A block, bytes: what goes to the disk at once at most. */
const BLOCK_BYTES = 256 * 1024
/** The first blocks, bytes: most jobs say no more, and large ones for each of them would have all garbage collected every few jobs. */
const FIRST_BYTES = 4 * 1024
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
  let blockBytes = FIRST_BYTES
  const isFull = ({ memory, bytes }: Block) => bytes === memory.byteLength

  /** One that has room, for so many bytes and perhaps more. */
  function last(bytes: number): Block {
    const block = filled.at(-1)
    if (block && !isFull(block)) return block
    if (block || bytes > FIRST_BYTES) blockBytes = BLOCK_BYTES
    const next = free.pop() ?? { memory: Buffer.allocUnsafeSlow(blockBytes), bytes: 0 }
    filled.push(next)
    return next
  }

  return {
    get isEmpty() {
      return filled.length === 0
    },
    push(bytes) {
      for (let from = 0; from < bytes.byteLength; ) {
        const block = last(bytes.byteLength - from)
        const piece = bytes.subarray(from, from + block.memory.byteLength - block.bytes)
        block.memory.set(piece, block.bytes)
        block.bytes += piece.byteLength
        from += piece.byteLength
      }
    },
    take() {
      if (taken && free.length < KEPT_BLOCKS && taken.memory.byteLength === blockBytes) {
        taken.bytes = 0
        free.push(taken)
      }
      taken = filled.shift() ?? null
      return taken ? taken.memory.subarray(0, taken.bytes) : new Uint8Array()
    },
  }
}
