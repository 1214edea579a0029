import { type DocumentSymbol, type FoldingRange, FoldingRangeKind, SymbolKind } from 'vscode-languageserver'
import type { Document, Outline, Section } from '#server/specs/index.ts'
import { onLine } from './documents.ts'

/** Sections, with the stories, requirements and tasks that stand in them. */
export function symbolsOf(document: Document, outline: Outline): DocumentSymbol[] {
  const visible = (line: number): number => document.lines[line]?.text.replace(/[\r\n]+$/, '').length ?? 0
  const leaf = (name: string, detail: string, kind: SymbolKind, line: number, start: number, end: number): DocumentSymbol => ({
    name,
    detail,
    kind,
    range: onLine(line, { start: 0, end: visible(line) }),
    selectionRange: onLine(line, { start, end }),
  })
  const leaves = [
    ...outline.requirements.map(({ id, text, line, start, end }) => leaf(id, text, SymbolKind.Property, line, start, end)),
    ...outline.tasks.map(({ id, title, line, start, end }) => leaf(id, title, SymbolKind.Event, line, start, end)),
    ...outline.checks.map(({ id, box, line, start, end }) => leaf(id ?? '☐', box.text, SymbolKind.Boolean, line, start, end)),
  ].toSorted((one, other) => one.range.start.line - other.range.start.line)
  const roots: DocumentSymbol[] = []
  const open: { symbol: DocumentSymbol; section: Section }[] = []
  const place = (symbol: DocumentSymbol): void => {
    while ((open.at(-1)?.section.lastLine ?? Number.POSITIVE_INFINITY) < symbol.range.start.line) open.pop()
    const parent = open.at(-1)?.symbol
    if (parent) parent.children = [...(parent.children ?? []), symbol]
    else roots.push(symbol)
  }
  let next = 0
  for (const section of outline.sections) {
    for (let one = leaves[next]; one && one.range.start.line < section.line; one = leaves[++next]) place(one)
    const { heading, line, lastLine } = section
    const end = { line: lastLine, character: visible(lastLine) }
    const symbol = {
      name: heading.text || '#',
      kind: SymbolKind.String,
      range: { start: { line, character: 0 }, end },
      selectionRange: onLine(line, heading),
    }
    place(symbol)
    open.push({ symbol, section })
  }
  for (const one of leaves.slice(next)) place(one)
  return roots
}

/** Sections, and blocks of more than a line: code, comments, front matter. */
export function foldingsOf(document: Document, outline: Outline): FoldingRange[] {
  const isBlank = (line: number): boolean => document.lines[line]?.text.trim() === ''
  const ranges: FoldingRange[] = outline.sections.flatMap(({ line, lastLine }) => {
    let end = lastLine
    while (end > line && isBlank(end)) end--
    return end > line ? [{ startLine: line, endLine: end, kind: FoldingRangeKind.Region }] : []
  })
  let start: number | null = null
  for (const [line, { isInert, after }] of document.lines.entries()) {
    const isInside = isInert && /^(?:front|comment|fence)/.test(after)
    if (isInside) start ??= line
    else if (start !== null) {
      if (line > start) ranges.push({ startLine: start, endLine: line, ...(after === 'comment' ? { kind: FoldingRangeKind.Comment } : {}) })
      start = null
    }
  }
  return ranges
}
