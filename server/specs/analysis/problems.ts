import type { SpecProblem } from '#shared/model/index.ts'
import type { IdKind } from '../language/index.ts'
import { cyclesOf } from './cycles.ts'
import type { Feature, FeatureDocument, Placed, PlacedTask } from './feature.ts'

/** What is wrong, and where: the problem of the API with its columns. */
export type Problem = SpecProblem & Placed & { readonly id: string | null }

/** Whether a job proves a task done; null where nobody knows. */
export type IsProven = ((task: PlacedTask) => boolean) | null

const NONE: ReadonlySet<string> = new Set()

/**
 * Everything there is to say against a feature, by document and line.
 * @param linked paths that lead out of the work tree by a link; the documents alone do not say
 */
export function problemsOf(feature: Feature, isProven: IsProven, linked = NONE): Problem[] {
  const problems = [
    ...duplicates(feature),
    ...nameless(feature),
    ...unknown(feature),
    ...outside(feature, linked),
    ...cycles(feature),
    ...clarifications(feature.documents),
    ...uncovered(feature),
    ...(isProven ? unproven(feature, isProven) : []),
  ]
  return problems.sort((one, other) => (one.path === other.path ? one.line - other.line : one.path < other.path ? -1 : 1))
}

const at = ({ path, line, start, end }: Placed): Placed => ({ path, line, start, end })

function duplicates({ definitions }: Feature): Problem[] {
  return [...definitions].flatMap(([id, places]) => {
    if (places.length < 2) return []
    const [first, ...again] = places
    // Checklists are numbered each for itself.
    const seen = new Set([first?.path])
    const wrong = first?.kind === 'check' ? again.filter(({ path }) => seen.has(path) || !seen.add(path)) : again
    return wrong.map(place => ({
      ...at(place),
      code: 'duplicate-id' as const,
      severity: 'error' as const,
      id,
      message: `${id} is used before, in ${first?.path} on line ${(first?.line ?? 0) + 1}.`,
    }))
  })
}

function nameless({ documents }: Feature): Problem[] {
  return documents.flatMap(({ path, kind, outline }) =>
    outline.nameless.map(place => ({
      ...at({ ...place, path }),
      code: 'missing-id' as const,
      severity: 'warning' as const,
      id: null,
      message: kind === 'tasks' ? 'This task has no id, such as T001.' : 'This item has no id, such as CHK001.',
    })),
  )
}

const DEFINED_IN: Readonly<Partial<Record<IdKind, FeatureDocument['kind']>>> = {
  task: 'tasks',
  story: 'spec',
  requirement: 'spec',
  criterion: 'spec',
}

/** Ids that nothing describes, of kinds of which the feature describes some. */
function unknown({ documents, definitions }: Feature): Problem[] {
  const kinds = new Set<IdKind>()
  for (const places of definitions.values()) for (const { kind } of places) kinds.add(kind)
  const problems: Problem[] = []
  for (const { path, document } of documents)
    for (const [line, { mentions }] of document.lines.entries())
      for (const { kind, id, start, end, isQuoted } of mentions) {
        if (isQuoted || !kinds.has(kind) || !DEFINED_IN[kind] || definitions.has(id)) continue
        const message = `Nothing in ${DEFINED_IN[kind]}.md describes ${id}.`
        problems.push({ code: 'unknown-id', severity: 'warning', message, path, line, start, end, id })
      }
  return problems
}

function outside({ tasks }: Feature, linked: ReadonlySet<string>): Problem[] {
  return tasks.flatMap(({ id, path, line, paths }) =>
    paths
      .filter(({ leaves, path: named }) => leaves || linked.has(named))
      .map(({ path: named, leaves, start, end }) => ({
        ...{ path, line, start, end, id },
        code: 'path-outside' as const,
        severity: 'error' as const,
        message: `${named} ${leaves ? 'is outside the repository' : 'leads outside the repository by a link'}: ${id} runs in a copy of it and cannot reach that.`,
      })),
  )
}

function cycles({ documents }: Feature): Problem[] {
  return documents.flatMap(({ path, document, outline }) =>
    cyclesOf(outline.dependencies).map(({ ids, dependency: { line, task } }) => {
      const mention = document.lines[line]?.mentions.find(({ id }) => id === task)
      return {
        ...{ path, line, start: mention?.start ?? 0, end: mention?.end ?? 0, id: task },
        code: 'dependency-cycle' as const,
        severity: 'error' as const,
        message: `These tasks wait for each other: ${ringOf(ids)}.`,
      }
    }),
  )
}

/** @returns such as `T001 → T002 → T001`; of a long ring its ends */
function ringOf(ids: readonly string[]): string {
  const ring = [...ids, ids[0]]
  const shown = ring.length <= 12 ? ring : [...ring.slice(0, 6), '…', ...ring.slice(-5)]
  return shown.join(' → ')
}

function clarifications(documents: readonly FeatureDocument[]): Problem[] {
  return documents
    .filter(({ kind }) => kind !== 'checklist')
    .flatMap(({ path, document }) =>
      document.lines.flatMap(({ clarifications }, line) =>
        clarifications.map(({ start, end }) => ({
          ...{ path, line, start, end, id: null },
          code: 'needs-clarification' as const,
          severity: 'warning' as const,
          message: 'A question is left open here.',
        })),
      ),
    )
}

/** Requirements without a task. Where no task names any, that is the habit of the project and only worth a word. */
function uncovered({ requirements, coverage, tasks }: Feature): Problem[] {
  if (tasks.length === 0) return []
  const isHabit = !requirements.some(({ id }) => coverage.has(id))
  return requirements
    .filter(({ id, kind }) => kind === 'requirement' && !coverage.get(id)?.length)
    .map(place => ({
      ...at(place),
      code: 'requirement-without-task' as const,
      severity: isHabit ? ('info' as const) : ('warning' as const),
      id: place.id,
      message: `No task names ${place.id}.`,
    }))
}

function unproven({ tasks }: Feature, isProven: NonNullable<IsProven>): Problem[] {
  return tasks
    .filter(task => task.box.isTicked && !isProven(task))
    .map(task => ({
      ...at({ ...task, start: task.box.mark - 1, end: task.box.mark + 2 }),
      code: 'done-without-job' as const,
      severity: 'hint' as const,
      id: task.id,
      message: `${task.id} is ticked, and no job proves it done.`,
    }))
}
