import { createHash } from 'node:crypto'
import type { SpecBase } from '#shared/model/index.ts'
import type { TextEdit } from '../language/index.ts'

/** Name of the content of a document: the hash of its bytes. */
export const hashOf = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex')

export type SpecEditCode = 'base_moved' | 'no_such_id' | 'ambiguous_id' | 'bad_id' | 'id_taken' | 'no_such_document' | 'bad_edit'

/** An edit that cannot be made, why, and what to do. */
export class SpecEditError extends Error {
  readonly code: SpecEditCode
  readonly remedy: string | undefined
  constructor(code: SpecEditCode, message: string, remedy?: string) {
    super(message)
    this.name = 'SpecEditError'
    this.code = code
    this.remedy = remedy
  }
}

/** @throws {SpecEditError} base_moved when a document is not the one a change was made for. */
export function requireBase({ path, sha256 }: SpecBase, content: string | Uint8Array): void {
  const now = hashOf(content)
  if (now === sha256) return
  throw new SpecEditError(
    'base_moved',
    `${path} has changed since this edit was made: it is ${now.slice(0, 12)}… and the edit is for ${sha256.slice(0, 12)}….`,
    'Read it again and make the edit anew.',
  )
}

/** Puts edits into a text. @throws {SpecEditError} bad_edit when they overlap, do not rise, or leave the text. */
export function applyEdits(text: string, edits: readonly TextEdit[]): string {
  let result = ''
  let from = 0
  for (const { start, end, text: added } of edits) {
    if (start < from || end < start || end > text.length)
      throw new SpecEditError('bad_edit', `An edit from ${start} to ${end} overlaps the one before, or leaves the document.`)
    result += text.slice(from, start) + added
    from = end
  }
  return result + text.slice(from)
}
