import type { TextDocumentContentChangeEvent } from 'vscode-languageserver'
import { type Document, offsetAt, parse, positionAt, update } from '#server/specs/index.ts'

/** A document that an editor has open, as it is there. */
export interface OpenDocument {
  readonly uri: string
  readonly version: number
  readonly document: Document
}

/** How documents of the editor are kept: changes read the lines they touch. */
export const openDocuments = {
  create: (uri: string, _language: string, version: number, content: string): OpenDocument => ({ uri, version, document: parse(content) }),
  update(open: OpenDocument, changes: TextDocumentContentChangeEvent[], version: number): OpenDocument {
    let { document } = open
    for (const change of changes) {
      document =
        'range' in change
          ? update(document, { ...offsetsOf(document, change.range), text: change.text }).document
          : parse(change.text)
    }
    return { uri: open.uri, version, document }
  },
}

interface Range {
  readonly start: { readonly line: number; readonly character: number }
  readonly end: { readonly line: number; readonly character: number }
}

function offsetsOf(document: Document, range: Range): { start: number; end: number } {
  const start = offsetAt(document, range.start)
  return { start, end: Math.max(start, offsetAt(document, range.end)) }
}

export const rangeOf = (document: Document, { start, end }: { start: number; end: number }): Range => ({
  start: positionAt(document, start),
  end: positionAt(document, end),
})

/** A range within one line. */
export const onLine = (line: number, { start, end }: { start: number; end: number }): Range => ({
  start: { line, character: start },
  end: { line, character: end },
})
