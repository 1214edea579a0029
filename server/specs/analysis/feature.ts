import type { SpecDocumentKind } from '#shared/model/index.ts'
import {
  type Document,
  type IdKind,
  kindOfId,
  type Line,
  type Located,
  type Outline,
  type Requirement,
  type Story,
  type Task,
} from '../language/index.ts'

/** A document of a feature, read. */
export interface FeatureDocument {
  /** Below the work tree, with forward slashes. */
  readonly path: string
  readonly kind: SpecDocumentKind
  readonly document: Document
  readonly outline: Outline
}

export interface Placed extends Located {
  readonly path: string
}
export type PlacedTask = Task & Placed
export type PlacedRequirement = Requirement & Placed & { readonly kind: 'requirement' | 'criterion' }

/** What the documents of a feature say together. */
export interface Feature {
  readonly documents: readonly FeatureDocument[]
  readonly title: string | null
  readonly stories: readonly (Story & Placed)[]
  readonly requirements: readonly PlacedRequirement[]
  readonly tasks: readonly PlacedTask[]
  /** Where each id is described; more than once is a mistake. */
  readonly definitions: ReadonlyMap<string, readonly (Placed & { readonly kind: IdKind })[]>
  /** Requirement or criterion to the tasks that cover it: those that name it, or whose story names it. */
  readonly coverage: ReadonlyMap<string, readonly string[]>
}

export function createFeature(documents: readonly FeatureDocument[]): Feature {
  const each = <T, K>(pick: (outline: Outline) => readonly T[], kindOf: (one: T) => K): (T & { path: string; kind: K })[] =>
    documents.flatMap(({ path, outline }) => pick(outline).map(one => ({ ...one, path, kind: kindOf(one) })))
  const stories = each(
    ({ stories }) => stories,
    () => 'story' as const,
  )
  const requirements = each(
    ({ requirements }) => requirements,
    ({ id }) => (id.startsWith('SC') ? ('criterion' as const) : ('requirement' as const)),
  )
  const tasks = each(
    ({ tasks }) => tasks,
    () => 'task' as const,
  )
  const checks = each(
    ({ checks }) => checks,
    () => 'check' as const,
  )
  const definitions = new Map<string, (Placed & { kind: IdKind })[]>()
  for (const all of [stories, requirements, tasks, checks])
    for (const one of all) {
      if (one.id === null) continue
      const known = definitions.get(one.id)
      if (known) known.push(one)
      else definitions.set(one.id, [one])
    }
  const title = documents.find(({ kind }) => kind === 'spec')?.outline.title ?? null
  return { documents, title, stories, requirements, tasks, definitions, coverage: coverageOf(documents, stories, tasks) }
}

/** Requirements times tasks that are written down; past it a requirement has the first task of its story alone. */
const MOST_COVERED = 100_000

function coverageOf(
  documents: readonly FeatureDocument[],
  stories: Feature['stories'],
  tasks: readonly PlacedTask[],
): ReadonlyMap<string, readonly string[]> {
  const linesOf = new Map(documents.map(({ path, document }) => [path, document.lines]))
  const coverage = new Map<string, Set<string>>()
  let left = MOST_COVERED
  const cover = (lines: readonly Line[], from: number, to: number, ids: readonly string[]): void => {
    for (let line = from; line <= to; line++)
      for (const { kind, id, isQuoted } of lines[line]?.mentions ?? []) {
        if (isQuoted || (kind !== 'requirement' && kind !== 'criterion')) continue
        const covering = coverage.get(id) ?? new Set()
        for (const task of ids.length <= left ? ids : ids.slice(0, 1)) covering.add(task)
        left -= Math.min(left, ids.length)
        coverage.set(id, covering)
      }
  }
  const byStory = new Map<string, string[]>()
  for (const { path, line, id, story } of tasks) {
    const lines = linesOf.get(path) ?? []
    cover(lines, line, lastLineOf(lines, line), [id])
    if (story === null) continue
    const same = byStory.get(story)
    if (same) same.push(id)
    else byStory.set(story, [id])
  }
  for (const story of stories) {
    const ids = byStory.get(story.id)
    if (ids) cover(linesOf.get(story.path) ?? [], story.line, story.lastLine, ids)
  }
  return new Map([...coverage].map(([id, ids]) => [id, [...ids]]))
}

const isTask = ({ box }: Line): boolean => box?.id != null && kindOfId(box.id.id) === 'task'

/** A task goes on over the lines that are indented under it, up to the next task. */
function lastLineOf(lines: readonly Line[], line: number): number {
  let last = line
  for (let next = lines[last + 1]; next && !isTask(next) && /^[\s>]+\S/.test(next.text); next = lines[last + 1]) last++
  return last
}

/** What a task asks for: its line without box, id and labels, and the lines under it, however they are wrapped or ticked. */
export function wordsOf({ lines }: Document, { line, title }: Pick<Task, 'line' | 'title'>): string {
  const under = lines.slice(line + 1, lastLineOf(lines, line) + 1)
  return [title, ...under.map(clearedOf)].join(' ').replace(/\s+/g, ' ').trim()
}

/** A line as it is while its box is not ticked. */
export const clearedOf = ({ text, box }: Line): string => (box ? `${text.slice(0, box.mark)} ${text.slice(box.mark + 1)}` : text)

/** Every place where an id stands, quoted ones too. */
export function placesOf(documents: readonly FeatureDocument[], id: string): (Placed & { readonly isQuoted: boolean })[] {
  return documents.flatMap(({ path, document }) =>
    document.lines.flatMap(({ mentions }, line) =>
      mentions.filter(mention => mention.id === id).map(({ start, end, isQuoted }) => ({ path, line, start, end, isQuoted })),
    ),
  )
}

/** Made once: there may be ten thousand ids, and they are asked for while somebody types. */
const byNumber = new Intl.Collator('en', { numeric: true })

/** Ids of a kind that are described or named anywhere, in order. */
export function idsOf(feature: Feature, kind: IdKind): string[] {
  const ids = [...feature.definitions].filter(([, [first]]) => first?.kind === kind).map(([id]) => id)
  return ids.sort(byNumber.compare)
}

/** The id after the highest of its kind, as long as the others. */
export function nextId(feature: Feature, kind: 'task' | 'requirement' | 'criterion' | 'check'): string {
  const first = { task: 'T001', requirement: 'FR-001', criterion: 'SC-001', check: 'CHK001' }[kind]
  const [prefix = '', digits = ''] = /^(.*?)(\d+)$/.exec(first)?.slice(1) ?? []
  const numbers = idsOf(feature, kind).flatMap(id => (id.startsWith(prefix) ? (/\d+/.exec(id) ?? []) : []))
  const highest = Math.max(0, ...numbers.map(Number))
  const width = Math.max(digits.length, ...numbers.map(({ length }) => length))
  return prefix + String(highest + 1).padStart(width, '0')
}
