import type { Secrets } from './port.ts'

/** Shorter values are too likely to be words of a language. */
const SHORTEST = 8
const EMPTY = Buffer.alloc(0)

interface Needle {
  readonly name: string
  readonly bytes: Buffer
  readonly text: string
}

/**
 * A secret as it is, line by line, and as common encodings write it. A key of many lines is seldom shown whole: a diff, a quotation
 * and a listing with numbers put something before each line. The lines that frame a key (RFC 7468) say nothing.
 */
function formsOf(value: string): string[] {
  const lines = value.includes('\n') ? value.split(/\r?\n/).map(line => line.trim()) : []
  const telling = lines.filter(line => line.length >= SHORTEST && !line.startsWith('-----'))
  const bytes = Buffer.from(value)
  const forms = [
    value,
    ...telling,
    ...base64Within(bytes),
    encodeURIComponent(value),
    json(value),
    // The input of a tool is kept as JSON, and is then part of an event, which is JSON too.
    json(json(value)),
  ]
  return [...new Set(forms)]
}

const json = (text: string): string => JSON.stringify(text).slice(1, -1)

/**
 * How base64 writes bytes that stand inside others (a line end after them, `user:` before them): six bits a character, so there are
 * three ways, by what the bytes before leave of a group; characters that hold bits of a neighbour are left out. Alone: first and last.
 */
function base64Within(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap(before => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64')
    const whole = text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6))
    return [whole, whole.replaceAll('+', '-').replaceAll('/', '_')]
  })
}

const replacement = (name: string): string => `[secret ${name}]`

/** Length of the longest end of `bytes` that is the start, but not the whole, of `needle`. */
function heldBack(bytes: Buffer, needle: Buffer): number {
  const first = needle[0] ?? 0
  const from = Math.max(0, bytes.length - needle.length + 1)
  for (let start = bytes.indexOf(first, from); start !== -1; start = bytes.indexOf(first, start + 1)) {
    const length = bytes.length - start
    if (bytes.compare(needle, 0, length, start) === 0) return length
  }
  return 0
}

export function createSecrets(): Secrets {
  const known = new Map<string, { name: string; count: number }>()
  /** Longest first: where one secret is part of another, the whole goes. */
  let needles: readonly Needle[] = []

  function rebuild(): void {
    needles = [...known]
      .flatMap(([value, { name }]) => formsOf(value).map(text => ({ name, text, bytes: Buffer.from(text) })))
      .sort((a, b) => b.bytes.length - a.bytes.length)
  }

  /** The first secret at or after an offset; of several at one place the longest. */
  function firstIn(bytes: Buffer, from: number, next: Map<Needle, number>): { at: number; needle: Needle } | null {
    let found: { at: number; needle: Needle } | null = null
    for (const needle of needles) {
      let at = next.get(needle)
      if (at === undefined || (at !== -1 && at < from)) {
        at = bytes.indexOf(needle.bytes, from)
        next.set(needle, at)
      }
      if (at !== -1 && (found === null || at < found.at)) found = { at, needle }
    }
    return found
  }

  /** Strikes out what is whole. @returns clean parts, and where the rest begins that may be the start of a secret. */
  function strike(bytes: Buffer, end: boolean): { clean: Buffer[]; rest: number } {
    const hold = end ? 0 : needles.reduce((longest, { bytes: needle }) => Math.max(longest, heldBack(bytes, needle)), 0)
    const clean: Buffer[] = []
    const next = new Map<Needle, number>()
    let from = 0
    // A secret that begins before the held part and ends inside it is whole, so it goes now; one that begins inside waits.
    for (let match = firstIn(bytes, 0, next); match && match.at < bytes.length - hold; match = firstIn(bytes, from, next)) {
      clean.push(bytes.subarray(from, match.at), Buffer.from(replacement(match.needle.name)))
      from = match.at + match.needle.bytes.length
    }
    const rest = Math.max(from, bytes.length - hold)
    clean.push(bytes.subarray(from, rest))
    return { clean, rest }
  }

  return {
    add(value, name) {
      if (value.length < SHORTEST) return () => {}
      const entry = known.get(value)
      known.set(value, { name: entry?.name ?? name, count: (entry?.count ?? 0) + 1 })
      if (!entry) rebuild()
      let held = true
      return () => {
        const current = known.get(value)
        if (!current || !held) return
        held = false
        current.count -= 1
        if (current.count > 0) return
        known.delete(value)
        rebuild()
      }
    },
    find: text => needles.find(needle => text.includes(needle.text))?.name ?? null,
    redact(text) {
      if (!needles.some(needle => text.includes(needle.text))) return text
      return Buffer.concat(strike(Buffer.from(text), true).clean).toString()
    },
    stream() {
      let held: Buffer = EMPTY
      return (bytes, end) => {
        const all =
          held.length === 0 ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) : Buffer.concat([held, bytes])
        const { clean, rest } = strike(all, end)
        held = rest === all.length ? EMPTY : Buffer.from(all.subarray(rest))
        return clean.length === 1 && clean[0] ? clean[0] : Buffer.concat(clean)
      }
    },
    forms: () => needles.map(({ text }) => text),
  }
}
