import type { SpecChange } from '#shared/model/index.ts'
import { clearedOf, wordsOf } from './analysis/index.ts'
import type { DocumentChange } from './changes.ts'
import { applyEdits, hashOf } from './edits/index.ts'
import { type Document, isLong, kindOfId, outline, parse, print } from './language/index.ts'
import type { ReadDocument, ReadFeature } from './reader.ts'

/** A box that a change ticks, or that says something else than what it was ticked for. */
export interface Ticked {
  /** The task it is of; null for a box that is no task's, which no job can be for. */
  readonly task: string | null
  /** How many tasks of the feature would have that id. */
  readonly namesakes: number
  /** Hash of what the task would ask for. */
  readonly wording: string
  readonly path: string
  readonly line: number
}

/** Hash of what a task asks for: what a job was for is compared by it. */
export const wordingOf = (document: Document, task: Parameters<typeof wordsOf>[1]): string => hashOf(wordsOf(document, task))

/**
 * Every box that is ticked after a change and was not before, whatever kind of change it is: each of them wants evidence. A box is the same as
 * one before when it stands in the same document and says the same; a task has its id and its words, a box that is no task's its words, and the
 * headings and boxes it stands under. Renaming ticks nothing: each line keeps its box, and evidence stays with the words it was for.
 */
export function newlyTicked(feature: ReadFeature, change: SpecChange, changes: readonly DocumentChange[]): Ticked[] {
  if (change.kind === 'rename') return []
  return changes.flatMap(({ document, edits }) => {
    const after = parse(applyEdits(print(document.document), edits))
    const left = new Map<string, number>()
    for (const { name } of tickedBoxes(document, document.document)) left.set(name, (left.get(name) ?? 0) + 1)
    const found: Ticked[] = []
    let tasks: ReadonlyMap<string, number> | null = null
    for (const { name, task, wording, line } of tickedBoxes(document, after)) {
      const count = left.get(name) ?? 0
      left.set(name, count - 1)
      if (count > 0) continue
      tasks ??= tasksAfter(feature, document, after)
      found.push({ task, namesakes: tasks.get(task ?? '') ?? 0, wording, path: document.path, line })
    }
    return found
  })
}

/** How many tasks a feature has of each id, once a document of it is another. */
function tasksAfter({ documents }: ReadFeature, changed: ReadDocument, after: Document): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const document of documents)
    for (const { id } of (document === changed ? outline(after, changed.kind) : document.outline).tasks)
      counts.set(id, (counts.get(id) ?? 0) + 1)
  return counts
}

interface TickedBox extends Pick<Ticked, 'task' | 'wording' | 'line'> {
  /** What it is known by in its document. */
  readonly name: string
}

/** Lines too long to be read as one of a list may still look ticked to a person. */
const LONG_AND_TICKED = /^[\s>]*(?:[-*+]|\d{1,9}[.)])[ \t]+\[[xX]\]/

function* tickedBoxes({ kind }: Pick<ReadDocument, 'kind'>, document: Document): Generator<TickedBox> {
  const headings: { level: number; name: string }[] = []
  /** Boxes that the next one may be indented under. */
  const over: { indent: number; name: string }[] = []
  const below = (text: string): string =>
    hashOf(`${(over.at(-1) ?? headings.at(-1))?.name ?? ''} ${text.replace(/\s+/g, ' ').trim()}`)
  for (const [line, read] of document.lines.entries()) {
    const { heading, box } = read
    if (heading) {
      over.length = 0
      while ((headings.at(-1)?.level ?? 0) >= heading.level) headings.pop()
      headings.push({ level: heading.level, name: below(heading.text) })
    } else if (box) {
      while ((over.at(-1)?.indent ?? -1) >= box.indent) over.pop()
      const task = kind === 'tasks' && box.id && kindOfId(box.id.id) === 'task' ? box.id.id : null
      const wording = task === null ? '' : wordingOf(document, { line, title: box.text })
      const name = task === null ? below(clearedOf(read)) : hashOf(`${task} ${wording}`)
      if (box.isTicked) yield { name, task, wording, line }
      over.push({ indent: box.indent, name: task ?? name })
    } else if (isLong(read) && LONG_AND_TICKED.test(read.text)) yield { name: below(read.text), task: null, wording: '', line }
  }
}
