import type { Block } from './blocks.ts'
import { type Line, readLine } from './line.ts'

/** A document as it is, line by line. Not changed by anybody: a change makes another one, which shares the lines that stayed. */
export interface Document {
  readonly lines: readonly Line[]
  /** Offset of each line in UTF-16 code units; one more at the end, the length of the document. */
  readonly starts: readonly number[]
}

/** Columns and lines count from 0, in UTF-16 code units, as the Language Server Protocol does. */
export interface Position {
  readonly line: number
  readonly character: number
}

/** Replaces what is between two offsets, in UTF-16 code units. */
export interface TextEdit {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** Lines with their ends, as editors count them: after \n, \r\n or \r. There is always a last one without an end. */
export function splitLines(text: string): string[] {
  const lines: string[] = []
  let from = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code !== 10 && code !== 13) continue
    if (code === 13 && text.charCodeAt(at + 1) === 10) at++
    lines.push(text.slice(from, at + 1))
    from = at + 1
  }
  lines.push(text.slice(from))
  return lines
}

/** Reads any text. Nothing is left out: {@link print} gives it back. */
export function parse(text: string): Document {
  const lines: Line[] = []
  let before = 'start'
  for (const one of splitLines(text)) {
    const line = readLine(one, before)
    lines.push(line)
    before = line.after
  }
  return withStarts(lines)
}

export const print = ({ lines }: Document): string => lines.map(({ text }) => text).join('')

function withStarts(lines: readonly Line[]): Document {
  const starts = [0]
  let end = 0
  for (const { text } of lines) {
    end += text.length
    starts.push(end)
  }
  return { lines, starts }
}

export const lengthOf = ({ starts }: Document): number => starts.at(-1) ?? 0

/** Line that holds an offset. */
function lineAt({ starts, lines }: Document, offset: number): number {
  let low = 0
  let high = lines.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((starts[middle] ?? 0) <= offset) low = middle
    else high = middle - 1
  }
  return low
}

export function positionAt(document: Document, offset: number): Position {
  const within = Math.max(0, Math.min(offset, lengthOf(document)))
  const line = lineAt(document, within)
  return { line, character: within - (document.starts[line] ?? 0) }
}

/** A column past the end of its line stands for that end, in front of the line break. */
export function offsetAt(document: Document, { line, character }: Position): number {
  if (line < 0) return 0
  const found = document.lines[line]
  if (!found) return lengthOf(document)
  const visible = found.text.replace(/[\r\n]+$/, '').length
  return (document.starts[line] ?? 0) + Math.max(0, Math.min(character, visible))
}

/**
 * Replaces a part. Only the lines it touches are read again, and those after them that are in another block than before.
 * @returns the new document, and how many lines were read
 */
export function update(document: Document, edit: TextEdit): { document: Document; linesRead: number } {
  const [first, last] = touched(document, edit)
  const from = document.starts[first] ?? 0
  const old = document.lines
    .slice(first, last + 1)
    .map(({ text }) => text)
    .join('')
  const texts = splitLines(old.slice(0, edit.start - from) + edit.text + old.slice(edit.end - from))
  // The last piece has no end; behind it stands the rest of the document, unless that was the last line.
  if (last < document.lines.length - 1) texts.pop()
  const lines: Line[] = []
  let before = document.lines[first - 1]?.after ?? 'start'
  const read = (text: string): void => {
    const line = readLine(text, before)
    lines.push(line)
    before = line.after
  }
  for (const text of texts) read(text)
  let next = last + 1
  for (let line = document.lines[next]; line && line.before !== before; line = document.lines[++next]) {
    const again = readAgain(line, before)
    lines.push(again)
    before = again.after
  }
  const all = [...document.lines.slice(0, first), ...lines, ...document.lines.slice(next)]
  return { document: withStarts(all), linesRead: lines.length }
}

/** How a line was read in another block before. */
const otherwise = new WeakMap<Line, Line>()

/** Reads a line in another block. Fences and comments are opened and closed as people type, so the reading before is kept. */
function readAgain(line: Line, before: Block): Line {
  const known = otherwise.get(line)
  if (known?.before === before) return known
  const again = readLine(line.text, before)
  otherwise.set(again, line)
  otherwise.set(line, again)
  return again
}

/** First and last line of what an edit touches. The last one keeps its end, so what follows stays as it is. */
function touched(document: Document, { start, end }: TextEdit): [number, number] {
  const first = lineAt(document, start)
  // A \r before what changes and a \n that comes to stand there become one end of a line.
  const joins = start === document.starts[first] && document.lines[first - 1]?.text.endsWith('\r') === true
  return [joins ? first - 1 : first, lineAt(document, end)]
}
