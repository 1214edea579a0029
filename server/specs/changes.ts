import type { SpecBase, SpecChange } from '#shared/model/index.ts'
import { rename, replaceText, requireBase, SpecEditError, tick } from './edits/index.ts'
import type { TextEdit } from './language/index.ts'
import type { ReadDocument, ReadFeature } from './reader.ts'

/** What a change does to one document. */
export interface DocumentChange {
  readonly document: ReadDocument
  readonly edits: readonly TextEdit[]
}

/**
 * What a change does to which documents of a feature; nothing, when it is so already.
 * @param bases the documents it was made up for
 * @throws {SpecEditError} also when one of them is another by now, or one is reached that is not among them
 */
export function changesOf(feature: ReadFeature, change: SpecChange, bases: readonly SpecBase[]): DocumentChange[] {
  const byPath = new Map(feature.documents.map(document => [document.path, document]))
  const find = (path: string): ReadDocument => {
    const document = byPath.get(path)
    if (document?.isText) return document
    const why = document ? `${path} is not UTF-8.` : `The feature has no document ${path}.`
    throw new SpecEditError('no_such_document', why)
  }
  for (const base of bases) requireBase(base, find(base.path).bytes)
  return editsOf(feature, change, find)
    .filter(({ edits }) => edits.length > 0)
    .map(({ path, edits }) => {
      if (!bases.some(base => base.path === path))
        throw new SpecEditError('base_moved', `The change reaches ${path}, which it was not made for.`, 'Name it among `bases`.')
      return { document: find(path), edits }
    })
}

function editsOf(
  { documents }: ReadFeature,
  change: SpecChange,
  find: (path: string) => ReadDocument,
): readonly { path: string; edits: readonly TextEdit[] }[] {
  switch (change.kind) {
    case 'tick':
      return [tick(documents, change.task, change.done)]
    case 'rename':
      return rename(documents, change.from, change.to)
    case 'replace':
      return [{ path: change.path, edits: replaceText(find(change.path).document, change.text) }]
  }
}
