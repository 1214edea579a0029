import { type CompletionItem, CompletionItemKind, type Position } from 'vscode-languageserver'
import { type IdKind, idsOf, nextId } from '#server/specs/index.ts'
import { onLine } from './documents.ts'
import type { WorkspaceFeature } from './workspace.ts'

const KINDS: readonly IdKind[] = ['task', 'story', 'requirement', 'criterion', 'check']
const PREFIX = /(?<![A-Za-z0-9_])[A-Z]{1,3}-?\d{0,6}$/

/** Ids of the feature that begin as what stands before the cursor does, and the next free one. */
export function completionsAt(feature: WorkspaceFeature, path: string, { line, character }: Position): CompletionItem[] {
  const text = feature.documents.find(document => document.path === path)?.document.lines[line]?.text.slice(0, character) ?? ''
  const prefix = PREFIX.exec(text)?.[0] ?? ''
  if (prefix === '' && !/[\s([,]$/.test(text)) return []
  const range = onLine(line, { start: character - prefix.length, end: character })
  const item = (id: string, detail: string, sortText: string): CompletionItem => ({
    ...{ label: id, detail, sortText, filterText: id },
    kind: CompletionItemKind.Reference,
    textEdit: { range, newText: id },
  })
  const known = KINDS.flatMap(kind => idsOf(feature, kind).map(id => item(id, titleOf(feature, id), `1${id}`)))
  const fresh = (['task', 'requirement', 'criterion', 'check'] as const).map(kind => {
    const id = nextId(feature, kind)
    return item(id, 'the next free one', `0${id}`)
  })
  return [...fresh, ...known].filter(({ label }) => label.startsWith(prefix))
}

function titleOf(feature: WorkspaceFeature, id: string): string {
  const task = feature.tasks.find(one => one.id === id)
  const requirement = feature.requirements.find(one => one.id === id)
  return task?.title ?? requirement?.text ?? feature.stories.find(one => one.id === id)?.title ?? ''
}
