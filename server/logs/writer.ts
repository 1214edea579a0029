import { createHash } from 'node:crypto'
import { isDiskFull } from '#server/lib/disk-full.ts'
import { type OpenFile, pieces } from '#server/lib/files.ts'
import { ApiError } from '#shared/contract/index.ts'
import { createBlocks } from './blocks.ts'
import type { LogWriter } from './port.ts'

/** Bytes that may wait for the disk before `write` makes its caller wait. */
const MAX_PENDING_BYTES = 1024 * 1024
/** Small writes are gathered to this size before secrets are sought in them: a search a line would cost more than the disk. */
const GATHER_BYTES = 64 * 1024
/** What is made for them at first, bytes: most jobs say less. */
const FIRST_GATHER_BYTES = 4 * 1024
const ACCEPTED = Promise.resolve()

export interface WriterOptions {
  readonly file: OpenFile
  /** Size of the file when the writer was made. */
  readonly size: number
  readonly maxBytes: number
  redact(bytes: Uint8Array, end: boolean): Uint8Array
  /** Told of the new size whenever bytes reached the file. */
  wrote(size: number): void
  /** Told of the size that is on disk. */
  synced(size: number): void
  /** Fulfils when this turn of the event loop is over. */
  endOfTurn(): Promise<void>
}

/**
 * Appends to one log. What is given within one turn of the event loop, or while the disk is busy, goes into one write, so that
 * many small lines cost few system calls. All is copied when it is given: streams use their buffers again.
 */
export function createWriter({ file, size, maxBytes, redact, wrote, synced, endOfTurn }: WriterOptions): LogWriter {
  const limit = Math.max(maxBytes, size)
  let written = size
  let accepted = size
  let dropped = 0
  let full = false
  let gathered = Buffer.allocUnsafeSlow(FIRST_GATHER_BYTES)
  let gatheredBytes = 0
  const blocks = createBlocks()
  let writing: Promise<void> | null = null
  let failure: unknown = null

  /** Takes clean bytes up to the limit, then one line that says so, then counts. */
  function accept(bytes: Uint8Array): void {
    const room = full ? 0 : limit - accepted
    const kept = bytes.subarray(0, Math.max(0, room))
    if (kept.byteLength > 0) push(kept)
    if (kept.byteLength === bytes.byteLength) return
    dropped += bytes.byteLength - kept.byteLength
    if (full) return
    full = true
    push(new TextEncoder().encode(`\n[skein] the log limit of ${maxBytes} bytes is reached; what follows is dropped\n`))
  }

  function push(bytes: Uint8Array): void {
    blocks.push(bytes)
    accepted += bytes.byteLength
    writing ??= drain()
  }

  /** Strikes out secrets and takes what is left. */
  const take = (bytes: Uint8Array): void => accept(redact(bytes, false))

  function takeGathered(): void {
    if (gatheredBytes === 0) return
    const bytes = gathered.subarray(0, gatheredBytes)
    gatheredBytes = 0
    take(bytes)
  }

  function gather(bytes: Uint8Array): void {
    if (gatheredBytes + bytes.byteLength > gathered.byteLength) {
      const larger = Buffer.allocUnsafeSlow(GATHER_BYTES)
      larger.set(gathered.subarray(0, gatheredBytes))
      gathered = larger
    }
    gathered.set(bytes, gatheredBytes)
    gatheredBytes += bytes.byteLength
    writing ??= drain()
  }

  async function drain(): Promise<void> {
    // The rest of this turn's writes join the first.
    await endOfTurn()
    try {
      for (takeGathered(); !blocks.isEmpty && failure === null; takeGathered()) {
        const batch = blocks.take()
        await file.write(batch, written)
        written += batch.byteLength
        wrote(written)
      }
    } catch (error) {
      failure = asFailure(error)
    } finally {
      writing = null
    }
  }

  async function settled(): Promise<void> {
    while (writing) await writing
    if (failure !== null) throw failure
  }

  const writer: LogWriter = {
    get offset() {
      takeGathered()
      return accepted
    },
    get written() {
      return written
    },
    get dropped() {
      takeGathered()
      return dropped
    },
    // Not async: a promise a line would cost more than the line.
    write(bytes) {
      if (failure !== null) return settled()
      if (gatheredBytes + bytes.byteLength > GATHER_BYTES) takeGathered()
      if (bytes.byteLength > GATHER_BYTES) take(bytes)
      else gather(bytes)
      return accepted + gatheredBytes - written > MAX_PENDING_BYTES ? settled() : ACCEPTED
    },
    async flush() {
      takeGathered()
      const rest = redact(new Uint8Array(), true)
      if (rest.byteLength > 0) accept(rest)
      await settled()
      return written
    },
    async hash(from, to) {
      const hash = createHash('sha256')
      for await (const piece of pieces(file, from, to)) hash.update(piece)
      return hash.digest('hex')
    },
    async close() {
      try {
        if ((await writer.flush()) === size) return
        await file.sync()
        synced(written)
      } finally {
        await file.close()
      }
    },
  }
  return writer
}

function asFailure(error: unknown): unknown {
  if (!isDiskFull(error)) return error
  return new ApiError('out_of_space', 'The disk is full: the log of this job could not be written.', {
    cause: error,
    remedy: 'Free space, or run `skein prune`.',
  })
}
