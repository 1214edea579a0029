import { type CompletionItem, CompletionItemKind, type Position } from 'vscode-languageserver/node'
import { type IdKind, idsOf, nextId } from '#server/specs/index.ts'
import { onLine } from './documents.ts'
import type { WorkspaceFeature } from './workspace.ts'

const KINDS: readonly IdKind[] = ['task', 'story', 'requirement', 'criterion', 'check']
const COUNTED = ['task', 'requirement', 'criterion', 'check'] as const
/** What may become an id, in front of the cursor. */
const PREFIX = /(?<![A-Za-z0-9_])[A-Za-z]{1,3}-?\d{0,6}$/
/** Where an id may begin. */
const OPENING = /(?:^|[\s([,>|`])$/

/** Ids of the feature that begin as what stands before the cursor does, and of each kind the next free one. */
export function completionsAt(feature: WorkspaceFeature, uri: string, { line, character }: Position): CompletionItem[] {
  const text = feature.documents.find(one => one.uri === uri)?.document.lines[line]?.text.slice(0, character) ?? ''
  const prefix = PREFIX.exec(text)?.[0] ?? ''
  if (prefix === '' && !OPENING.test(text)) return []
  const range = onLine(line, { start: character - prefix.length, end: character })
  const titles = titlesOf(feature)
  const item = (id: string, detail: string, sortText: string): CompletionItem => ({
    ...{ label: id, detail, sortText, filterText: id },
    kind: CompletionItemKind.Reference,
    textEdit: { range, newText: id },
  })
  const known = KINDS.flatMap(kind => idsOf(feature, kind)).map((id, index) =>
    item(id, titles.get(id) ?? '', `1${String(index).padStart(6, '0')}`),
  )
  const fresh = COUNTED.map((kind, index) => item(nextId(feature, kind), 'the next free one', `0${index}`))
  const begins = prefix.toUpperCase()
  return [...fresh, ...known].filter(({ label }) => label.toUpperCase().startsWith(begins))
}

function titlesOf({ tasks, requirements, stories, documents }: WorkspaceFeature): ReadonlyMap<string, string> {
  const titles = new Map<string, string>()
  for (const { outline } of documents) for (const { id, box } of outline.checks) if (id !== null) titles.set(id, box.text)
  for (const { id, text } of requirements) titles.set(id, text)
  for (const { id, title } of [...stories, ...tasks]) titles.set(id, title)
  return titles
}
