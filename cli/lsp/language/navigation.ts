import type { Location, Position, PrepareRenameResult, TextDocumentEdit, WorkspaceEdit } from 'vscode-languageserver/node'
import { type Mention, placesOf, rename, SpecEditError, type TextEdit } from '#server/specs/index.ts'
import { onLine, rangeOf } from './documents.ts'
import type { WorkspaceFeature } from './workspace.ts'

/** An id that a cursor is on. */
export interface Pointed {
  readonly feature: WorkspaceFeature
  readonly mention: Mention
  readonly line: number
}

/** @returns null where no id is */
export function pointedAt(feature: WorkspaceFeature, uri: string, { line, character }: Position): Pointed | null {
  const document = feature.documents.find(one => one.uri === uri)?.document
  const mention = document?.lines[line]?.mentions.find(({ start, end }) => start <= character && character <= end)
  return mention ? { feature, mention, line } : null
}

export function definitionOf({ feature, mention }: Pointed): Location[] {
  return (feature.definitions.get(mention.id) ?? []).map(place => locationOf(feature, place))
}

/** @param withDefinition whether the places where it is described are among them */
export function referencesTo({ feature, mention }: Pointed, withDefinition: boolean): Location[] {
  const own = feature.definitions.get(mention.id) ?? []
  const isDefinition = (place: { path: string; line: number; start: number }): boolean =>
    own.some(
      ({ path, line, start, end }) => path === place.path && line === place.line && start <= place.start && place.start < end,
    )
  return placesOf(feature.documents, mention.id)
    .filter(place => withDefinition || !isDefinition(place))
    .map(place => locationOf(feature, place))
}

function locationOf(feature: WorkspaceFeature, place: { path: string; line: number; start: number; end: number }): Location {
  const uri = feature.documents.find(({ path }) => path === place.path)?.uri ?? ''
  return { uri, range: onLine(place.line, place) }
}

export const renameRange = ({ mention, line }: Pointed): PrepareRenameResult => ({
  range: onLine(line, mention),
  placeholder: mention.id,
})

/** @throws {SpecEditError} */
export function renameAt({ feature, mention }: Pointed, name: string): WorkspaceEdit {
  const changes = rename(feature.documents, mention.id, name.trim())
  return { documentChanges: changes.map(change => editOf(feature, change)) }
}

/** Edits of a document of a feature as an editor takes them, for what it has now. @throws {SpecEditError} bad_edit */
export function editOf(
  feature: WorkspaceFeature,
  { path, edits }: { readonly path: string; readonly edits: readonly TextEdit[] },
): TextDocumentEdit {
  const found = feature.documents.find(one => one.path === path)
  if (!found?.isText) throw new SpecEditError('bad_edit', `${path} is not UTF-8, and is not changed.`, 'Save it as UTF-8 first.')
  const { uri, version, document } = found
  return {
    textDocument: { uri, version },
    edits: edits.map(edit => ({ range: rangeOf(document, edit), newText: edit.text })),
  }
}
