import { type FeatureDocument, placesOf } from '../analysis/index.ts'
import { kindOfId, type TextEdit, writtenAs } from '../language/index.ts'
import { SpecEditError } from './base.ts'

/**
 * Renames an id wherever it stands, in code and comments too: what names a task should not be left behind.
 * @throws {SpecEditError} when it stands nowhere, the other is of another kind, or is taken.
 */
export function rename(documents: readonly FeatureDocument[], from: string, to: string): { path: string; edits: TextEdit[] }[] {
  const kind = kindOfId(from)
  if (kindOfId(to) === null || kindOfId(to) !== kind)
    throw new SpecEditError(
      'bad_id',
      `${JSON.stringify(to)} is not an id of the kind of ${from}.`,
      'Keep its letters, and choose another number.',
    )
  if (from === to) return []
  if (placesOf(documents, to).some(({ isQuoted }) => !isQuoted))
    throw new SpecEditError('id_taken', `${to} is in use already; both would be one.`, 'Choose another number.')
  const places = placesOf(documents, from)
  if (places.length === 0) throw new SpecEditError('no_such_id', `${from} stands in no document of this feature.`)
  return documents.flatMap(({ path, document }) => {
    const edits = places
      .filter(place => place.path === path)
      .map(({ line, start, end }) => {
        const at = document.starts[line] ?? 0
        const written = document.lines[line]?.text.slice(start, end) ?? from
        return { start: at + start, end: at + end, text: writtenAs(written, to) }
      })
    return edits.length === 0 ? [] : [{ path, edits }]
  })
}
