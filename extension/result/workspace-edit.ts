import { chmod, stat } from 'node:fs/promises'
import { join } from 'node:path'
import * as vscode from 'vscode'
import { plainLine } from '../rows/plain.ts'
import { t } from '../ui/texts.ts'
import type { Place } from './merge.ts'
import type { Plan, Step } from './plan.ts'

const position = ({ line, character }: Place) => new vscode.Position(line, character)

export interface EditOptions {
  readonly root: string
  /** What the edit is for; shown in the preview. */
  readonly label: string
  /** Whether each part is to be looked at, and may be left out, before it is done. */
  readonly needsConfirmation: boolean
}

/**
 * A plan as an edit of the workspace, that one *Undo* takes back. Modes are not part of it: see {@link setModes}.
 * @returns two when a binary file is replaced and no text is edited: the editor undoes file operations of one run in the order they were
 * done in, so that what was there cannot come back before what took its place has gone
 */
export function workspaceEdits({ steps }: Plan, { root, label, needsConfirmation }: EditOptions): vscode.WorkspaceEdit[] {
  const about = (description: string): vscode.WorkspaceEditEntryMetadata => ({
    label: plainLine(label, 80),
    description,
    needsConfirmation,
  })
  const at = ({ path }: Step) => vscode.Uri.file(join(root, path))
  const of = <Kind extends Step['kind']>(kind: Kind) =>
    steps.filter((step): step is Extract<Step, { kind: Kind }> => step.kind === kind)
  const first = new vscode.WorkspaceEdit()
  for (const step of of('overwrite')) first.deleteFile(at(step), {}, about(t('replaced')))
  for (const step of of('edit')) {
    const words = about(step.isMerged ? t('merged with your own changes') : t('changed'))
    for (const { start, end, text } of step.replacements)
      first.replace(at(step), new vscode.Range(position(start), position(end)), text, words)
  }
  const isApart = of('overwrite').length > 0 && of('edit').length === 0
  const last = isApart ? new vscode.WorkspaceEdit() : first
  for (const step of of('overwrite')) last.createFile(at(step), { contents: step.content }, about(t('replaced')))
  for (const step of of('create')) last.createFile(at(step), { contents: step.content }, about(t('new file')))
  for (const step of of('delete')) last.deleteFile(at(step), {}, about(t('deleted')))
  return isApart ? [first, last] : [first]
}

/**
 * Looks at which files of a plan have something unsaved now. @returns saves those that had nothing, once the plan is done: the others are the
 * person's to save
 */
export function savingIn({ steps }: Plan, root: string): () => Promise<void> {
  const paths = new Set(steps.flatMap(step => (step.kind === 'edit' ? [vscode.Uri.file(join(root, step.path)).toString()] : [])))
  const open = () => vscode.workspace.textDocuments.filter(({ uri }) => paths.has(uri.toString()))
  const unsaved = new Set(open().flatMap(({ isDirty, uri }) => (isDirty ? [uri.toString()] : [])))
  return async () => {
    await Promise.all(open().map(async document => unsaved.has(document.uri.toString()) || (await document.save())))
  }
}

/** Makes files programs, or no longer: an edit of the workspace has no word for it. */
export async function setModes({ steps }: Plan, root: string): Promise<void> {
  for (const step of steps.filter((step): step is Extract<Step, { kind: 'mode' }> => step.kind === 'mode')) {
    const file = join(root, step.path)
    const there = await stat(file).catch(() => null)
    // Who may read it may run it.
    if (there?.isFile()) await chmod(file, step.isExecutable ? there.mode | ((there.mode & 0o444) >> 2) : there.mode & ~0o111)
  }
}
