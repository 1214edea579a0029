import { plainText, withoutColours } from './ansi.ts'
import { type LogStore, linesOf } from './store.ts'

/** Lines looked through at once: a few milliseconds of work. */
const AT_ONCE = 2_000
/** Past so many a search is told to be too wide. */
export const MOST_MATCHES = 100_000

export interface SearchStep {
  /** Lines looked through so far. */
  readonly done: number
  /** Numbers of lines that fit, in order. */
  readonly found: readonly number[]
  /** Blocks to restore before the search can go on. */
  readonly missing: readonly number[]
}

/**
 * Looks through some lines from a number on, without regard to case. @param until not included
 * @returns how far it came and what it found there; `missing` when it came no further.
 */
export function searchStep(store: LogStore, query: string, from: number, until: number): SearchStep {
  const to = Math.min(until, from + AT_ONCE)
  const missing = store.missing(from, to)
  if (missing.length > 0) return { done: from, found: [], missing }
  const wanted = query.toLowerCase()
  const found: number[] = []
  // Most of a log has nothing of what is looked for, which is seen faster in many lines at once.
  const whole = withoutColours(new TextDecoder().decode(store.bytes(from, to) ?? new Uint8Array()))
  if (whole !== null) {
    const lower = whole.toLowerCase()
    if (!lower.includes(wanted)) return { done: to, found, missing }
    const lines = linesOf(lower, to - from)
    if (lines !== null) {
      for (const [at, line] of lines.entries()) if (line.includes(wanted)) found.push(from + at)
      return { done: to, found, missing }
    }
  }
  for (let line = from; line < to; line++) {
    if (
      plainText(store.text(line) ?? '')
        .toLowerCase()
        .includes(wanted)
    )
      found.push(line)
  }
  return { done: to, found, missing }
}

/** Where in the text of a line the query is. Ranges do not overlap. */
export function rangesOf(text: string, query: string): readonly (readonly [from: number, to: number])[] {
  if (query === '') return []
  const [lower, wanted] = [text.toLowerCase(), query.toLowerCase()]
  // Some capitals are longer in lower case: then nothing can be marked rightly.
  if (lower.length !== text.length) return []
  const ranges: [number, number][] = []
  for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, at + wanted.length))
    ranges.push([at, at + wanted.length])
  return ranges
}

/** The match to go to from a line: the next one after it, or before it; around the end. @returns its place among the matches, or -1. */
export function neighbour(matches: readonly number[], line: number, direction: 1 | -1): number {
  if (matches.length === 0) return -1
  let [low, high] = [0, matches.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((matches[middle] as number) < line + (direction === 1 ? 1 : 0)) low = middle + 1
    else high = middle
  }
  return direction === 1 ? low % matches.length : (low - 1 + matches.length) % matches.length
}
