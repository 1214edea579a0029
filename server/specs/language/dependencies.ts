import type { Mention } from './ids.ts'

/** `task` cannot start before `after` is done. */
export interface Dependency {
  readonly task: string
  readonly after: string
}

/** "X … Y" with one of these between them: X needs Y. */
const NEEDS =
  /\b(?:depends?(?:ing)? (?:up)?on|dependent on|requires?|needs|after|blocked by|depende de|dépend de|hängt (?:ab )?von|abhängig von)\b|依赖|依存|зависит от/i
/** Y needs X. */
const PRECEDES = /\b(?:blocks|before|unblocks)\b|→|->|⇒|=>/i

/** Most ids that `T001-T900` stands for. */
const LONGEST_RANGE = 200

/**
 * What a line says about the order of tasks.
 * @param owner the task that the line defines; what it says is about that one
 */
export function readDependencies(plain: string, mentions: readonly Mention[], owner: string | null): readonly Dependency[] {
  const tasks = mentions.filter(({ kind, isQuoted }) => kind === 'task' && !isQuoted)
  if (tasks.length < 2 || !(NEEDS.test(plain) || PRECEDES.test(plain))) return NONE
  return owner === null ? statements(plain, tasks) : needsOf(plain, tasks, owner)
}
const NONE: readonly Dependency[] = []

/** In the line of a task: the ids that follow a word of need, to the end of the clause. */
function needsOf(plain: string, tasks: readonly Mention[], owner: string): Dependency[] {
  const word = NEEDS.exec(plain)
  if (!word) return []
  const from = word.index + word[0].length
  const rest = plain.slice(from)
  const length = /[);.。)]/.exec(rest)?.index ?? rest.length
  const named = tasks.filter(({ start }) => start >= from && start < from + length)
  return expand(plain, named)
    .filter(after => after !== owner)
    .map(after => ({ task: owner, after }))
}

/** Elsewhere: "T008 blocks T009, T015", "T004-T007 before T008", "T001 → T002 → T003", "T015 depends on T008". */
function statements(plain: string, tasks: readonly Mention[]): Dependency[] {
  const groups: { ids: string[]; isNeed: boolean }[] = []
  let group: Mention[] = []
  for (const [index, task] of tasks.entries()) {
    const between = plain.slice(tasks[index - 1]?.end ?? task.start, task.start)
    const isNeed = NEEDS.test(between)
    if (index > 0 && (isNeed || PRECEDES.test(between))) {
      groups.push({ ids: expand(plain, group), isNeed })
      group = []
    }
    group.push(task)
  }
  groups.push({ ids: expand(plain, group), isNeed: false })
  return groups.slice(1).flatMap(({ ids: right }, index) => {
    const left = groups[index]
    if (!left) return []
    const [tasksThatWait, others] = left.isNeed ? [left.ids, right] : [right, left.ids]
    return tasksThatWait.flatMap(task => others.filter(after => after !== task).map(after => ({ task, after })))
  })
}

/** Ids of some mentions, with what `T001-T004` leaves out. */
function expand(plain: string, mentions: readonly Mention[]): string[] {
  const ids: string[] = []
  for (const [index, { id, start }] of mentions.entries()) {
    const before = mentions[index - 1]
    if (before && /^\s*(?:-|–|—|to|through|\.\.\.?)\s*$/.test(plain.slice(before.end, start))) ids.push(...between(before.id, id))
    ids.push(id)
  }
  return [...new Set(ids)]
}

function between(first: string, last: string): string[] {
  const [from, to] = [Number(first.slice(1)), Number(last.slice(1))]
  if (!(from < to) || to - from > LONGEST_RANGE) return []
  return Array.from({ length: to - from - 1 }, (_, index) => `T${String(from + index + 1).padStart(first.length - 1, '0')}`)
}
