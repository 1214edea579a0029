import { type CompletionItem, CompletionItemKind, type CompletionList, type Position } from 'vscode-languageserver/node'
import { type IdKind, idsOf, nextId } from '#server/specs/index.ts'
import { onLine } from './documents.ts'
import type { WorkspaceFeature } from './workspace.ts'

const KINDS: readonly IdKind[] = ['task', 'story', 'requirement', 'criterion', 'check']
const COUNTED = ['task', 'requirement', 'criterion', 'check'] as const
/** Most that are offered at once; typing on finds the others. */
const MOST_OFFERED = 200
/** What may become an id, in front of the cursor. */
const PREFIX = /(?<![A-Za-z0-9_])[A-Za-z]{1,3}-?\d{0,6}$/
/** Where an id may begin. */
const OPENING = /(?:^|[\s([,>|`])$/

/** Ids of the feature that begin as what stands before the cursor does, and of each kind the next free one. */
export function completionsAt(feature: WorkspaceFeature, uri: string, { line, character }: Position): CompletionList {
  const text = feature.documents.find(one => one.uri === uri)?.document.lines[line]?.text.slice(0, character) ?? ''
  const prefix = PREFIX.exec(text)?.[0] ?? ''
  if (prefix === '' && !OPENING.test(text)) return { isIncomplete: false, items: [] }
  const range = onLine(line, { start: character - prefix.length, end: character })
  const begins = (id: string): boolean => id.toUpperCase().startsWith(prefix.toUpperCase())
  const fresh = COUNTED.map(kind => nextId(feature, kind)).filter(begins)
  const known = KINDS.flatMap(kind => idsOf(feature, kind)).filter(begins)
  const titles = titlesOf(feature, new Set(known.slice(0, MOST_OFFERED)))
  const item = (id: string, detail: string, sortText: string): CompletionItem => ({
    ...{ label: id, detail, sortText, filterText: id },
    kind: CompletionItemKind.Reference,
    textEdit: { range, newText: id },
  })
  return {
    isIncomplete: known.length > MOST_OFFERED,
    items: [
      ...fresh.map((id, index) => item(id, 'the next free one', `0${index}`)),
      ...[...titles].map(([id, title], index) => item(id, title, `1${String(index).padStart(6, '0')}`)),
    ],
  }
}

/** In the order of the ids. */
function titlesOf(
  { tasks, requirements, stories, documents }: WorkspaceFeature,
  ids: ReadonlySet<string>,
): ReadonlyMap<string, string> {
  const titles = new Map<string, string>(Array.from(ids, id => [id, '']))
  const name = (id: string | null, title: string): void => {
    if (id !== null && ids.has(id)) titles.set(id, title)
  }
  for (const { outline } of documents) for (const { id, box } of outline.checks) name(id, box.text)
  for (const { id, text } of requirements) name(id, text)
  for (const { id, title } of stories) name(id, title)
  for (const { id, title } of tasks) name(id, title)
  return titles
}
