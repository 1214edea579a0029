import type { Location, Position, PrepareRenameResult, WorkspaceEdit } from 'vscode-languageserver'
import { type Mention, placesOf, rename } from '#server/specs/index.ts'
import { onLine, rangeOf } from './documents.ts'
import type { SpecWorkspace, WorkspaceFeature } from './workspace.ts'

/** An id that a cursor is on. */
export interface Pointed {
  readonly feature: WorkspaceFeature
  readonly mention: Mention
  readonly line: number
}

export async function pointedAt(workspace: SpecWorkspace, uri: string, { line, character }: Position): Promise<Pointed | null> {
  const place = workspace.locate(uri)
  const feature = await workspace.featureOf(uri)
  const document = feature?.documents.find(({ path }) => path === place?.path)?.document
  const mention = document?.lines[line]?.mentions.find(({ start, end }) => start <= character && character <= end)
  return feature && mention ? { feature, mention, line } : null
}

export function definitionOf(workspace: SpecWorkspace, { feature, mention }: Pointed): Location[] {
  return (feature.definitions.get(mention.id) ?? []).map(({ path, line, start, end }) => ({
    uri: workspace.uriOf(feature.root, path),
    range: onLine(line, { start, end }),
  }))
}

export function referencesTo(workspace: SpecWorkspace, { feature, mention }: Pointed, withDefinition: boolean): Location[] {
  const own = feature.definitions.get(mention.id) ?? []
  const isDefinition = (place: { path: string; line: number; start: number }): boolean =>
    own.some(({ path, line, start, end }) => path === place.path && line === place.line && start <= place.start && place.start < end)
  return placesOf(feature.documents, mention.id)
    .filter(place => withDefinition || !isDefinition(place))
    .map(({ path, line, start, end }) => ({ uri: workspace.uriOf(feature.root, path), range: onLine(line, { start, end }) }))
}

export const renameRange = ({ mention, line }: Pointed): PrepareRenameResult => ({
  range: onLine(line, mention),
  placeholder: mention.id,
})

/** @throws {SpecEditError} */
export function renameAt(
  workspace: SpecWorkspace,
  { feature, mention }: Pointed,
  name: string,
  versionOf: (uri: string) => number | null,
): WorkspaceEdit {
  const documentChanges = rename(feature.documents, mention.id, name.trim()).flatMap(({ path, edits }) => {
    const document = feature.documents.find(other => other.path === path)?.document
    const uri = workspace.uriOf(feature.root, path)
    if (!document) return []
    const changes = edits.map(edit => ({ range: rangeOf(document, edit), newText: edit.text }))
    return [{ textDocument: { uri, version: versionOf(uri) }, edits: changes }]
  })
  return { documentChanges }
}
