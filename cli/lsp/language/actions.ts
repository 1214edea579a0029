import { type CodeAction, CodeActionKind, type Range } from 'vscode-languageserver/node'
import { fixesFor, tick } from '#server/specs/index.ts'
import { diagnosticOf, problemsIn } from './diagnostics.ts'
import type { TaskJobs } from './jobs.ts'
import { editOf } from './navigation.ts'
import type { WorkspaceFeature } from './workspace.ts'

/** What can be done about the problems in a range, and the box of the task at its start. */
export function actionsIn(feature: WorkspaceFeature, uri: string, range: Range, jobs: TaskJobs): CodeAction[] {
  const path = feature.documents.find(one => one.uri === uri)?.path
  const isText = (changed: string): boolean => feature.documents.find(one => one.path === changed)?.isText === true
  const isHere = (one: { path: string; line: number }): boolean =>
    one.path === path && one.line >= range.start.line && one.line <= range.end.line
  const fixes = problemsIn(feature, jobs)
    .filter(isHere)
    .flatMap(problem =>
      fixesFor(feature, problem)
        .filter(fix => isText(fix.path))
        .map(fix => ({
          title: fix.title,
          kind: CodeActionKind.QuickFix,
          diagnostics: [diagnosticOf(problem)],
          edit: { documentChanges: [editOf(feature, fix)] },
        })),
    )
  const task = feature.tasks.find(one => one.path === path && one.line === range.start.line)
  // Of two tasks with one id it is not known which is meant.
  if (!task || feature.definitions.get(task.id)?.length !== 1) return fixes
  const change = tick(feature.documents, task.id, !task.box.isTicked)
  return [
    ...fixes,
    {
      title: task.box.isTicked ? `Clear the box of ${task.id}` : `Tick ${task.id}`,
      kind: CodeActionKind.RefactorRewrite,
      edit: { documentChanges: [editOf(feature, change)] },
    },
  ]
}
