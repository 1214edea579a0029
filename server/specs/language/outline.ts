import type { SpecDocumentKind } from '#shared/model/index.ts'
import { type Dependency, dependenciesOf } from './dependencies.ts'
import type { Document } from './document.ts'
import { kindOfId } from './ids.ts'
import type { Box, Heading, Line, Span } from './line.ts'

/** Where a thing stands. */
export interface Located extends Span {
  readonly line: number
}

export interface Section {
  readonly heading: Heading
  readonly line: number
  /** Last line that belongs to it, its own sections included. */
  lastLine: number
}

export interface Story extends Located {
  readonly id: string
  readonly title: string
  readonly priority: string | null
  /** Last line of its section. */
  readonly lastLine: number
}

/** A requirement or a success criterion. */
export interface Requirement extends Located {
  readonly id: string
  readonly text: string
}

export interface Task extends Located {
  readonly id: string
  readonly box: Box
  readonly title: string
  readonly story: string | null
  readonly phase: string | null
  readonly paths: Line['paths']
}

export interface Check extends Located {
  /** null where checklists have none. */
  readonly id: string | null
  readonly box: Box
}

/** What a document says, in its order. */
export interface Outline {
  readonly kind: SpecDocumentKind
  readonly title: string | null
  readonly sections: readonly Section[]
  readonly stories: readonly Story[]
  readonly requirements: readonly Requirement[]
  readonly tasks: readonly Task[]
  /** Boxes without an id among tasks or checks that have one. */
  readonly nameless: readonly (Located & { readonly box: Box })[]
  readonly checks: readonly Check[]
  readonly dependencies: readonly (Dependency & { readonly line: number })[]
}

/** A few lines can say that hundreds of tasks wait for hundreds of others; past this many pairs a document says no more. */
const MOST_DEPENDENCIES = 100_000

const STORY_HEADING = /^(?:(?:user story|us)[ -]?)(\d{1,4})\b\s*[-–—:：.]*\s*(.*)$/i
/** In other languages: words, a number, a title, and a priority in brackets. */
const FOREIGN_STORY = /^[^\d()（）]{2,40}?[ -]?(\d{1,4})\s*[-–—:：]\s*(.*[(（][^()（）]*P\d[)）].*)$/u
const PRIORITY = /[(（][^()（）]*?\b(P\d)\s*[)）]/

/** Gathers what the lines of a document say. Reads no text: a pass over what {@link Document} already knows. */
export function outline(document: Document, kind: SpecDocumentKind): Outline {
  const sections = sectionsOf(document)
  const title = sections.find(({ heading }) => heading.level === 1)?.heading.text ?? null
  return {
    kind,
    title,
    sections,
    stories: kind === 'spec' ? storiesOf(sections) : [],
    requirements: kind === 'spec' ? requirementsOf(document) : [],
    ...boxesOf(document, kind, sections),
    dependencies: kind === 'tasks' ? orderOf(document) : [],
  }
}

function sectionsOf({ lines }: Document): Section[] {
  const sections: Section[] = []
  const open: Section[] = []
  for (const [line, { heading }] of lines.entries()) {
    if (!heading) continue
    while ((open.at(-1)?.heading.level ?? 0) >= heading.level) {
      const ended = open.pop()
      if (ended) ended.lastLine = line - 1
    }
    const section = { heading, line, lastLine: lines.length - 1 }
    sections.push(section)
    open.push(section)
  }
  return sections
}

function storiesOf(sections: readonly Section[]): Story[] {
  return sections.flatMap(({ heading, line, lastLine }) => {
    if (heading.level === 1) return []
    const [, number, rest = ''] = STORY_HEADING.exec(heading.text) ?? FOREIGN_STORY.exec(heading.text) ?? []
    if (number === undefined) return []
    const title = rest.replace(PRIORITY, ' ').replace(/\s+/g, ' ').trim()
    return [
      {
        id: `US${Number(number)}`,
        title: title === '' ? heading.text : title,
        priority: PRIORITY.exec(rest)?.[1] ?? null,
        line,
        lastLine,
        start: heading.start,
        end: heading.end,
      },
    ]
  })
}

function orderOf({ lines }: Document): Outline['dependencies'] {
  const order: (Dependency & { line: number })[] = []
  for (const [line, { statements }] of lines.entries())
    for (const { task, after } of dependenciesOf(statements)) {
      if (order.length >= MOST_DEPENDENCIES) return order
      order.push({ task, after, line })
    }
  return order
}

function requirementsOf({ lines }: Document): Requirement[] {
  return lines.flatMap(({ entry, box }, line) => (entry && !box?.id ? [{ ...entry, line }] : []))
}

type Boxes = Pick<Outline, 'tasks' | 'checks' | 'nameless'>

/** Boxes of a document, each with the section it is in. */
function boxesOf({ lines }: Document, kind: SpecDocumentKind, sections: readonly Section[]): Boxes {
  const tasks: Task[] = []
  const checks: Check[] = []
  const nameless: (Located & { box: Box; group: number })[] = []
  /** Sections with a box that has an id, and how far that is indented. */
  const groups = new Map<number, number>()
  const open: Section[] = []
  let next = 0
  if (kind !== 'tasks' && kind !== 'checklist') return { tasks, checks, nameless }
  let over = overOf(open)
  for (const [line, { box, paths }] of lines.entries()) {
    if (!box) continue
    const before = open.at(-1)
    while (open.length > 0 && (open.at(-1)?.lastLine ?? 0) < line) open.pop()
    for (let section = sections[next]; section && section.line <= line; section = sections[++next])
      if (section.lastLine >= line) open.push(section)
    if (open.at(-1) !== before) over = overOf(open)
    const at = { line, start: box.id?.start ?? box.mark - 1, end: box.id?.end ?? box.mark + 2 }
    const group = open.at(-1)?.line ?? -1
    const wanted = kind === 'tasks' ? 'task' : 'check'
    if (box.id && kindOfId(box.id.id) === wanted) {
      groups.set(group, Math.min(groups.get(group) ?? box.indent, box.indent))
      if (kind === 'tasks')
        tasks.push({ ...at, id: box.id.id, box, title: box.text, phase: over.phase, story: box.story ?? over.story, paths })
    } else if (kind === 'tasks' || !box.id) nameless.push({ ...at, box, group })
    if (kind === 'checklist') checks.push({ ...at, id: box.id?.id ?? null, box })
  }
  const isMissed = ({ group, box }: { group: number; box: Box }) => box.indent <= (groups.get(group) ?? -1)
  return { tasks, checks, nameless: nameless.filter(isMissed).map(({ group: _, ...one }) => one) }
}

/** What the headings over a line say: a phase, and a story for tasks that name none. */
function overOf(open: readonly Section[]): { phase: string | null; story: string | null } {
  const inner = open.toReversed()
  const phase = inner.find(({ heading }) => /^phase\b/i.test(heading.text)) ?? inner.find(({ heading }) => heading.level === 2)
  const number = inner
    .map(({ heading }) => /\b(?:user story |US-?)(\d{1,4})\b/i.exec(heading.text)?.[1])
    .find(one => one !== undefined)
  return { phase: phase?.heading.text ?? null, story: number === undefined ? null : `US${Number(number)}` }
}
