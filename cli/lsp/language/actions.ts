import { type CodeAction, CodeActionKind, type Diagnostic, type Range, type WorkspaceEdit } from 'vscode-languageserver'
import { type Fix, fixesFor, tick } from '#server/specs/index.ts'
import type { SpecJob } from '#shared/model/index.ts'
import { diagnosticOf, problemsIn } from './diagnostics.ts'
import { rangeOf } from './documents.ts'
import type { SpecWorkspace, WorkspaceFeature } from './workspace.ts'

/** What can be done about the problems in a range, and ticking the task at its start. */
export function actionsIn(
  given: {
    workspace: SpecWorkspace
    feature: WorkspaceFeature
    path: string
    jobs: ReadonlyMap<string, SpecJob> | null
    versionOf(uri: string): number | null
  },
  range: Range,
): CodeAction[] {
  const { workspace, feature, path, jobs, versionOf } = given
  const editOf = (fix: Pick<Fix, 'path' | 'edits'>): WorkspaceEdit => {
    const document = feature.documents.find(other => other.path === fix.path)?.document
    const uri = workspace.uriOf(feature.root, fix.path)
    const edits = document ? fix.edits.map(edit => ({ range: rangeOf(document, edit), newText: edit.text })) : []
    return { documentChanges: [{ textDocument: { uri, version: versionOf(uri) }, edits }] }
  }
  const isHere = (one: { path: string; line: number }): boolean =>
    one.path === path && one.line >= range.start.line && one.line <= range.end.line
  const fixes = problemsIn(feature, jobs)
    .filter(isHere)
    .flatMap(problem => {
      const diagnostics: Diagnostic[] = [diagnosticOf(problem)]
      return fixesFor(feature, problem).map(fix => ({ title: fix.title, kind: CodeActionKind.QuickFix, diagnostics, edit: editOf(fix) }))
    })
  const task = feature.tasks.find(one => one.path === path && one.line === range.start.line)
  const isOne = task && feature.definitions.get(task.id)?.length === 1
  if (!isOne) return fixes
  const title = task.box.isTicked ? `Clear the box of ${task.id}` : `Tick ${task.id}`
  const edit = editOf(tick(feature.documents, task.id, !task.box.isTicked))
  return [...fixes, { title, kind: CodeActionKind.RefactorRewrite, edit }]
}
