import { joinBytes } from '../kit/bytes.ts'
import type { Style } from './ansi.ts'
import { createScanner } from './scanner.ts'

/** Bytes are kept in blocks of this size; a block that was let go is read again from the node. */
export const BLOCK_BYTES = 1024 * 1024
const PAGE = 65_536

/** The bytes of one log and where its lines are. Lines and blocks are counted from 0. */
export interface LogStore {
  /** Bytes so far: the offset from which to go on. */
  readonly size: number
  /** Lines so far; the last one may not be complete. */
  readonly count: number
  /** Adds what comes next. @param bytes begin at `size` */
  append(bytes: Uint8Array): void
  /** A line without its end; null when its block has to be read again first. */
  text(line: number): string | null
  /** Lines without their ends; null when they are not all here. Cheaper than one by one. @param to not included */
  texts(from: number, to: number): readonly string[] | null
  styleAt(line: number): Style
  /** Blocks, of those that hold these lines, that are not here. @param to not included */
  missing(from: number, to: number): number[]
  /** Puts back what was let go. */
  restore(block: number, bytes: Uint8Array): void
  /** The bytes of some lines, with their ends; null when they are not all here. @param to not included */
  bytes(from: number, to: number): Uint8Array | null
}

/** @param maxBlocks how many blocks stay in memory, two or more */
export function createLogStore({ maxBlocks }: { maxBlocks: number }): LogStore {
  const starts = pages(length => new Float64Array(length))
  const styles = pages(length => new Uint32Array(length))
  /** By number; the last used comes last. */
  const blocks = new Map<number, Uint8Array>()
  const decoder = new TextDecoder()
  let size = 0
  let lines = 1
  const scanner = createScanner((offset, style) => {
    starts.set(lines, offset)
    styles.set(lines, style)
    lines++
  })

  const lastBlock = () => Math.floor(Math.max(0, size - 1) / BLOCK_BYTES)
  function keep(block: number, bytes: Uint8Array): void {
    blocks.delete(block)
    blocks.set(block, bytes)
    for (const oldest of blocks.keys()) {
      if (blocks.size <= maxBlocks) return
      if (oldest !== lastBlock() && oldest !== block) blocks.delete(oldest)
    }
  }
  /** @param from not at or past the end of what is to be kept */
  function room(from: number): Uint8Array {
    const block = Math.floor(from / BLOCK_BYTES)
    const there = blocks.get(block) ?? new Uint8Array(BLOCK_BYTES)
    keep(block, there)
    return there.subarray(from % BLOCK_BYTES)
  }
  /** Whether the last line has anything in it: an end of line at the end of the log begins no line yet. */
  const count = () => (starts.get(lines - 1) < size ? lines : lines - 1)
  const startOf = (line: number) => (line >= lines ? size : starts.get(line))
  const blocksOf = (from: number, to: number) => {
    const [start, end] = [startOf(from), startOf(to)]
    if (end <= start) return []
    const first = Math.floor(start / BLOCK_BYTES)
    return Array.from({ length: Math.floor((end - 1) / BLOCK_BYTES) - first + 1 }, (_, i) => first + i)
  }

  function bytes(from: number, to: number): Uint8Array | null {
    const [start, end] = [startOf(from), startOf(to)]
    const parts: Uint8Array[] = []
    for (const block of blocksOf(from, to)) {
      const there = blocks.get(block)
      if (!there) return null
      keep(block, there)
      const base = block * BLOCK_BYTES
      parts.push(there.subarray(Math.max(0, start - base), Math.min(BLOCK_BYTES, end - base)))
    }
    return parts.length === 1 && parts[0] ? parts[0] : joinBytes(parts)
  }

  function text(line: number): string | null {
    const raw = bytes(line, line + 1)
    return raw && decoder.decode(raw).replace(/[\r\n]+$/, '')
  }

  return {
    get size() {
      return size
    },
    get count() {
      return count()
    },
    append(more) {
      for (let taken = 0; taken < more.length; ) {
        const free = room(size)
        const part = more.subarray(taken, taken + free.length)
        free.set(part)
        taken += part.length
        size += part.length
      }
      scanner.write(more)
    },
    text,
    texts(from, to) {
      const raw = bytes(from, to)
      if (raw === null) return null
      return linesOf(decoder.decode(raw), to - from) ?? Array.from({ length: to - from }, (_, at) => text(from + at) ?? '')
    },
    styleAt: line => styles.get(line),
    missing: (from, to) => blocksOf(from, to).filter(block => !blocks.has(block)),
    restore(block, restored) {
      if (restored.length === BLOCK_BYTES) return keep(block, restored)
      const whole = new Uint8Array(BLOCK_BYTES)
      whole.set(restored.subarray(0, BLOCK_BYTES))
      keep(block, whole)
    },
    bytes,
  }
}

/**
 * Cuts a text of whole lines at their ends; null when that gives another number of them, because one was broken for its length. What is
 * decoded line by line is, in a browser, a string outside of the heap for each: a million of them are collected in pauses that are felt.
 */
export function linesOf(text: string, count: number): readonly string[] | null {
  const lines = text.split(/\r\n|[\r\n]/)
  if (lines.at(-1) === '' && lines.length === count + 1) lines.pop()
  return lines.length === count ? lines : null
}

/** Numbers that grow in number without ever being copied. */
function pages(make: (length: number) => Float64Array | Uint32Array): {
  get(at: number): number
  set(at: number, value: number): void
} {
  const all: (Float64Array | Uint32Array)[] = []
  return {
    get: at => all[Math.floor(at / PAGE)]?.[at % PAGE] ?? 0,
    set(at, value) {
      const number = Math.floor(at / PAGE)
      const page = all[number] ?? make(PAGE)
      all[number] = page
      page[at % PAGE] = value
    },
  }
}
