import { diffArrays } from 'diff'

/** A place in a text, as editors count: lines and UTF-16 code units from 0. */
export interface Place {
  readonly line: number
  readonly character: number
}
/** One replacement. Those of a list do not overlap, and count in the text before any of them. */
export interface Replacement {
  readonly start: Place
  readonly end: Place
  readonly text: string
}

/** Line ends are the document's own affair: texts are compared, and replaced, with `\n`. */
const plain = (text: string): string => text.replaceAll('\r\n', '\n')
export const linesOf = (text: string): string[] => plain(text).split('\n')

/** Longest search for the smallest difference, ms; after that the whole of what differs is replaced. */
const PATIENCE_MS = 500

/** Merges two changes of one text. @returns null when the same lines were changed here and there */
export type Merge = (base: string, now: string, theirs: string) => Promise<string | null>

/**
 * What has to be replaced in a text, as it is in the editor now, so that it has what a job made of it too.
 * @param base as the job found it
 * @param now as it is in the editor
 * @param theirs as the job left it
 * @returns null when the same lines were changed here and there; nothing to replace when it has all of it already
 */
export async function mergeText(base: string, now: string, theirs: string, merge: Merge): Promise<Replacement[] | null> {
  const [old, here, there] = [plain(base), plain(now), plain(theirs)]
  if (here === there) return []
  const merged = here === old ? there : await merge(old, here, there)
  return merged === null ? null : replacements(linesOf(here), linesOf(merged))
}

/** One replacement a run of changed lines. */
function replacements(from: readonly string[], to: readonly string[]): Replacement[] {
  const head = common(Math.min(from.length, to.length), at => from[at] === to[at])
  // What is the same at both ends, which is most of it, need not be searched through.
  const most = Math.min(from.length, to.length) - head
  const tail = common(most, at => from[from.length - 1 - at] === to[to.length - 1 - at])
  const [old, fresh] = [from.slice(head, from.length - tail), to.slice(head, to.length - tail)]
  const parts = diffArrays(old, fresh, { timeout: PATIENCE_MS }) ?? [
    { value: old, removed: true, added: false },
    { value: fresh, removed: false, added: true },
  ]
  const found: Replacement[] = []
  for (let at = 0, line = head; at < parts.length; ) {
    let removed = 0
    const added: string[] = []
    for (; parts[at]?.removed || parts[at]?.added; at += 1) {
      if (parts[at]?.removed) removed += parts[at]?.value.length ?? 0
      else added.push(...(parts[at]?.value ?? []))
    }
    if (removed > 0 || added.length > 0) found.push(replacement(from, line, line + removed, added))
    line += removed + (parts[at]?.value.length ?? 0)
    at += 1
  }
  return found
}

function common(most: number, isSame: (at: number) => boolean): number {
  let count = 0
  while (count < most && isSame(count)) count += 1
  return count
}

/** Lines `start` to `end` become others; the last line of a text has no line end to go with it. */
function replacement(from: readonly string[], start: number, end: number, lines: readonly string[]): Replacement {
  if (end < from.length) return { start: place(start, 0), end: place(end, 0), text: lines.map(line => `${line}\n`).join('') }
  const last = place(from.length - 1, from.at(-1)?.length ?? 0)
  if (start === 0) return { start: place(0, 0), end: last, text: lines.join('\n') }
  return {
    start: place(start - 1, from[start - 1]?.length ?? 0),
    end: last,
    text: lines.map(line => `\n${line}`).join(''),
  }
}

const place = (line: number, character: number): Place => ({ line, character })
