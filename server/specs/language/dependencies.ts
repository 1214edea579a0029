import type { Mention } from './ids.ts'

/** `task` cannot start before `after` is done. */
export interface Dependency {
  readonly task: string
  readonly after: string
}

/** One task or, where a line says `T001-T004`, all from the first to the last. */
interface Tasks {
  readonly first: string
  readonly last: string | null
}

/** What a line says about the order of tasks: each of some waits for each of some others. Kept as short as it is written. */
export interface Statement {
  readonly tasks: readonly Tasks[]
  readonly after: readonly Tasks[]
}

/** "X … Y" with one of these between them: X needs Y. */
const NEEDS =
  /\b(?:depends?(?:ing)? (?:up)?on|dependent on|requires?|needs|after|blocked by|depende de|dépend de|hängt (?:ab )?von|abhängig von)\b|依赖|依存|зависит от/i
/** Y needs X. */
const PRECEDES = /\b(?:blocks|before|unblocks)\b|→|->|⇒|=>/i

/** Most ids that `T001-T900` stands for. */
const LONGEST_RANGE = 200
const NONE: readonly Statement[] = []

/**
 * What a line says about the order of tasks.
 * @param owner the task that the line defines; what it says is about that one
 */
export function readStatements(plain: string, mentions: readonly Mention[], owner: string | null): readonly Statement[] {
  const tasks = mentions.filter(({ kind, isQuoted }) => kind === 'task' && !isQuoted)
  if (tasks.length < 2 || !(NEEDS.test(plain) || PRECEDES.test(plain))) return NONE
  return owner === null ? statementsOf(plain, tasks) : needsOf(plain, tasks, owner)
}

/** In the line of a task: the ids that follow a word of need, to the end of the clause. */
function needsOf(plain: string, tasks: readonly Mention[], owner: string): readonly Statement[] {
  const word = NEEDS.exec(plain)
  if (!word) return NONE
  const from = word.index + word[0].length
  const rest = plain.slice(from)
  const length = /[);.。)]/.exec(rest)?.index ?? rest.length
  const named = tasks.filter(({ start }) => start >= from && start < from + length)
  return named.length === 0 ? NONE : [{ tasks: [{ first: owner, last: null }], after: rangesOf(plain, named) }]
}

/** Elsewhere: "T008 blocks T009, T015", "T004-T007 before T008", "T001 → T002 → T003", "T015 depends on T008". */
function statementsOf(plain: string, tasks: readonly Mention[]): readonly Statement[] {
  const groups: { ids: Tasks[]; isNeed: boolean }[] = []
  let group: Mention[] = []
  for (const [index, task] of tasks.entries()) {
    const between = plain.slice(tasks[index - 1]?.end ?? task.start, task.start)
    const isNeed = NEEDS.test(between)
    if (index > 0 && (isNeed || PRECEDES.test(between))) {
      groups.push({ ids: rangesOf(plain, group), isNeed })
      group = []
    }
    group.push(task)
  }
  groups.push({ ids: rangesOf(plain, group), isNeed: false })
  return groups.slice(1).flatMap(({ ids: right }, index) => {
    const left = groups[index]
    if (!left) return []
    return [left.isNeed ? { tasks: left.ids, after: right } : { tasks: right, after: left.ids }]
  })
}

function rangesOf(plain: string, mentions: readonly Mention[]): Tasks[] {
  const ranges: Tasks[] = []
  for (const [index, { id, start }] of mentions.entries()) {
    const before = mentions[index - 1]
    const open = ranges.at(-1)
    if (before && open?.last === null && /^\s*(?:-|–|—|to|through|\.\.\.?)\s*$/.test(plain.slice(before.end, start)))
      ranges[ranges.length - 1] = { first: open.first, last: id }
    else ranges.push({ first: id, last: null })
  }
  return ranges
}

/** What statements come to, pair by pair. It may be far more than what is written, so the caller takes what it can hold. */
export function* dependenciesOf(statements: readonly Statement[]): Generator<Dependency, void> {
  for (const { tasks, after } of statements) {
    const others = idsOf(after)
    for (const task of idsOf(tasks)) for (const other of others) if (other !== task) yield { task, after: other }
  }
}

function idsOf(ranges: readonly Tasks[]): Iterable<string> {
  const [only, more] = ranges
  if (only?.last === null && !more) return [only.first]
  const ids = new Set<string>()
  for (const { first, last } of ranges) {
    ids.add(first)
    if (last === null) continue
    const [from, to] = [Number.parseInt(first.slice(1), 10), Number.parseInt(last.slice(1), 10)]
    if (to - from <= LONGEST_RANGE)
      for (let number = from + 1; number < to; number++) ids.add(`T${String(number).padStart(first.length - 1, '0')}`)
    ids.add(last)
  }
  return ids
}
