import { type Document, print, splitLines, type TextEdit } from '../language/index.ts'

/** Most pairs of lines that are compared; above that what differs is one edit. */
const MOST_PAIRS = 4_000_000

/** Edits that make a document into a text: whole lines, and only those that differ. */
export function replaceText(document: Document, text: string): TextEdit[] {
  if (print(document) === text) return []
  const old = document.lines.map(line => line.text)
  const lines = splitLines(text)
  let head = 0
  while (head < old.length && head < lines.length && old[head] === lines[head]) head++
  let tail = 0
  while (tail < old.length - head && tail < lines.length - head && old.at(-1 - tail) === lines.at(-1 - tail)) tail++
  const before = old.slice(head, old.length - tail)
  const after = lines.slice(head, lines.length - tail)
  const kept = before.length * after.length > MOST_PAIRS ? [] : commonLines(before, after)
  const edits: TextEdit[] = []
  let [from, to] = [0, 0]
  for (const [one, other] of [...kept, [before.length, after.length] as const]) {
    if (one > from || other > to) {
      const start = document.starts[head + from] ?? 0
      edits.push({ start, end: document.starts[head + one] ?? start, text: after.slice(to, other).join('') })
    }
    ;[from, to] = [one + 1, other + 1]
  }
  return edits
}

/** Pairs of a longest common subsequence, rising. */
function commonLines(before: readonly string[], after: readonly string[]): (readonly [number, number])[] {
  const width = after.length + 1
  const lengths = new Uint32Array((before.length + 1) * width)
  const at = (one: number, other: number): number => lengths[one * width + other] ?? 0
  for (let one = before.length - 1; one >= 0; one--)
    for (let other = after.length - 1; other >= 0; other--)
      lengths[one * width + other] =
        before[one] === after[other] ? at(one + 1, other + 1) + 1 : Math.max(at(one + 1, other), at(one, other + 1))
  const pairs: [number, number][] = []
  for (let one = 0, other = 0; one < before.length && other < after.length; )
    if (before[one] === after[other]) pairs.push([one++, other++])
    else if (at(one + 1, other) >= at(one, other + 1)) one++
    else other++
  return pairs
}
