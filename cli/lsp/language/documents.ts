import type { Position, Range, TextDocumentContentChangeEvent } from 'vscode-languageserver/node'
import { type Document, offsetAt, parse, positionAt, type Span, type TextEdit, update } from '#server/specs/index.ts'

/** A document that an editor has open, as it is there. */
export interface OpenDocument {
  readonly uri: string
  readonly version: number
  readonly document: Document
}

/** How documents of the editor are kept: a change reads the lines it touches. */
export const openDocuments = {
  create: (uri: string, _language: string, version: number, content: string): OpenDocument => ({
    ...{ uri, version },
    document: parse(content),
  }),
  update({ uri, document: before }: OpenDocument, changes: TextDocumentContentChangeEvent[], version: number): OpenDocument {
    let document = before
    for (const change of changes)
      document = 'range' in change ? update(document, editOf(document, change)).document : parse(change.text)
    return { uri, version, document }
  },
}

/** Editors may give the ends of a range in either order. */
function editOf(document: Document, { range, text }: { range: Range; text: string }): TextEdit {
  const [one, other] = [offsetAt(document, range.start), offsetAt(document, range.end)]
  return { start: Math.min(one, other), end: Math.max(one, other), text }
}

export const rangeOf = (document: Document, { start, end }: Span): Range => ({
  start: positionAt(document, start),
  end: positionAt(document, end),
})

/** A range within one line. */
export const onLine = (line: number, { start, end }: Span): Range => ({
  start: { line, character: start },
  end: { line, character: end },
})

/** Where the text of a line ends, in front of the line break. */
export const lineEnd = (document: Document, line: number): Position => ({
  line,
  character: document.lines[line]?.text.replace(/[\r\n]+$/, '').length ?? 0,
})
