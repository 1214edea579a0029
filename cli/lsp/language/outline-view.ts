import { type DocumentSymbol, type FoldingRange, FoldingRangeKind, SymbolKind } from 'vscode-languageserver/node'
import type { Document, Located, Outline, Section } from '#server/specs/index.ts'
import { lineEnd, onLine } from './documents.ts'

/** Sections, with the requirements, tasks and checks that stand in them. */
export function symbolsOf(document: Document, outline: Outline): DocumentSymbol[] {
  const leaf = (name: string, detail: string, kind: SymbolKind, { line, start, end }: Located): DocumentSymbol => ({
    ...{ name, detail, kind },
    range: { start: { line, character: 0 }, end: lineEnd(document, line) },
    selectionRange: onLine(line, { start, end }),
  })
  const leaves = [
    ...outline.requirements.map(one => leaf(one.id, one.text, SymbolKind.Property, one)),
    ...outline.tasks.map(one => leaf(one.id, one.title, SymbolKind.Event, one)),
    ...outline.checks.map(one => leaf(one.id ?? '☐', one.box.text, SymbolKind.Boolean, one)),
  ].sort((one, other) => one.range.start.line - other.range.start.line)
  const roots: DocumentSymbol[] = []
  const open: { children: DocumentSymbol[]; lastLine: number }[] = []
  const place = (symbol: DocumentSymbol): void => {
    while ((open.at(-1)?.lastLine ?? Number.POSITIVE_INFINITY) < symbol.range.start.line) open.pop()
    ;(open.at(-1)?.children ?? roots).push(symbol)
  }
  let next = 0
  for (const section of outline.sections) {
    for (let one = leaves[next]; one && one.range.start.line < section.line; one = leaves[++next]) place(one)
    const children: DocumentSymbol[] = []
    place(sectionSymbol(document, section, children))
    open.push({ children, lastLine: section.lastLine })
  }
  for (const one of leaves.slice(next)) place(one)
  return roots
}

function sectionSymbol(document: Document, { heading, line, lastLine }: Section, children: DocumentSymbol[]): DocumentSymbol {
  return {
    // A symbol must have a name; a heading need not.
    name: heading.text || '#',
    kind: SymbolKind.String,
    range: { start: { line, character: 0 }, end: lineEnd(document, lastLine) },
    selectionRange: onLine(line, heading),
    children,
  }
}

/** Sections, and blocks of more than a line: code, comments, front matter. */
export function foldingsOf({ lines }: Document, outline: Outline): FoldingRange[] {
  const isBlank = (line: number): boolean => lines[line]?.text.trim() === ''
  const ranges: FoldingRange[] = []
  for (const { line, lastLine } of outline.sections) {
    let end = lastLine
    while (end > line && isBlank(end)) end--
    if (end > line) ranges.push({ startLine: line, endLine: end, kind: FoldingRangeKind.Region })
  }
  let start: number | null = null
  for (const [line, { isInert, before, after }] of lines.entries()) {
    const isBegun = isInert && after !== before && isBlock(after)
    if (isBegun) start = line
    if (start === null || (isInert && isBlock(after))) continue
    const comment = before === 'comment' ? { kind: FoldingRangeKind.Comment } : {}
    if (line > start) ranges.push({ startLine: start, endLine: line, ...comment })
    start = null
  }
  return ranges
}

/** What goes on over the next line. */
const isBlock = (block: string): boolean => /^(?:front|comment|fence)/.test(block)
