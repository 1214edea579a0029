import { closeSync, mkdirSync, openSync, readSync, rmSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** Bytes of a segment file; a segment goes as a whole. */
const SEGMENT = 4 * 2 ** 20

/** Output by offset: kept in files from the offset that the home has taken to the last byte that there is. */
export interface Spool {
  append(chunk: Buffer): void
  /** There will be no more. */
  finish(): void
  /** Fulfils when there is room for more. */
  room(): Promise<void>
  /** From an offset that is not yet given up, on and on until the end. */
  read(from: number): AsyncGenerator<Buffer>
  /** The home has everything before this offset. */
  taken(offset: number): void
  readonly length: number
}

/** Synchronous: these are writes to the page cache, and a queue of them would be memory that nobody counts. */
export function createSpool(directory: string, limitBytes: number): Spool {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const segments = new Map<number, number>()
  let length = 0
  let kept = 0
  let first = 0
  let finished = false
  let changed = Promise.resolve()
  let tell = () => {}
  const renew = () => {
    tell()
    changed = new Promise(resolve => (tell = resolve))
  }
  renew()

  const segment = (index: number): number => {
    const fd = segments.get(index) ?? openSync(join(directory, String(index)), 'wx+', 0o600)
    segments.set(index, fd)
    return fd
  }

  const drop = (index: number) => {
    const fd = segments.get(index)
    if (fd === undefined) return
    closeSync(fd)
    segments.delete(index)
    unlinkSync(join(directory, String(index)))
  }

  /** Nothing stays of what the home has all of: a sandbox may run any number of programs. */
  const forgetAll = () => {
    if (!finished || kept < length) return
    for (const index of [...segments.keys()]) drop(index)
    rmSync(directory, { recursive: true, force: true })
  }

  return {
    get length() {
      return length
    },
    append(chunk) {
      for (let done = 0; done < chunk.length; ) {
        const inside = length % SEGMENT
        const part = chunk.subarray(done, done + SEGMENT - inside)
        const written = writeSync(segment(Math.floor(length / SEGMENT)), part, 0, part.length, inside)
        length += written
        done += written
      }
      renew()
    },
    finish() {
      finished = true
      forgetAll()
      renew()
    },
    async room() {
      while (length - kept >= limitBytes) await changed
    },
    async *read(from) {
      if (from < kept) throw new Error(`Bytes before ${kept} are taken`)
      for (let offset = from; ; ) {
        const waiting = changed
        if (offset < length) {
          const inside = offset % SEGMENT
          const chunk = Buffer.alloc(Math.min(64 * 1024, SEGMENT - inside, length - offset))
          const read = readSync(segment(Math.floor(offset / SEGMENT)), chunk, 0, chunk.length, inside)
          offset += read
          yield chunk.subarray(0, read)
        } else if (finished) return
        else await waiting
      }
    },
    taken(offset) {
      if (offset <= kept || offset > length) return
      kept = offset
      while ((first + 1) * SEGMENT <= kept) drop(first++)
      forgetAll()
      renew()
    },
  }
}
