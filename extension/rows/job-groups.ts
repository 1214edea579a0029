import type { JobEntry } from '../state/job-entry.ts'
import { isSpecKey, NO_SPEC, type SpecKey, type SpecOfKey, specOfKey } from '../state/job-specs.ts'
import { GROUPS, type Group } from '../state/job-states.ts'
import type { Jobs } from '../state/jobs.ts'
import { hasWords, isEverything, type JobFilter } from './job-filter.ts'
import { plainLine } from './plain.ts'
import type { Row, Translate } from './row.ts'

/** What jobs stand under. */
export type Grouping = 'state' | 'spec'
/** Id of the row of a group. */
export type GroupId = Group | SpecKey

export const isState = (id: string): id is Group => (GROUPS as readonly string[]).includes(id)

/** A page of a group, or of the groups themselves. */
export interface JobPlace {
  readonly group: GroupId | null
  /** From 0; the first has no row of its own. */
  readonly page: number
}

/** Id of the row that holds what comes after so many pages. */
export const pageId = ({ group, page }: JobPlace): string => `${group ?? ''}+${page}`

/** @returns null for what is not the row of a group or page */
export function placeOf(id: string): JobPlace | null {
  const [, before = id, page] = /^(.*)\+(\d+)$/s.exec(id) ?? []
  if (before === '' && page !== undefined) return { group: null, page: Number(page) }
  return isState(before) || isSpecKey(before) ? { group: before, page: Number(page ?? 0) } : null
}

export const jobsOf = (jobs: Jobs, group: GroupId): readonly JobEntry[] =>
  isState(group) ? jobs.inGroup(group) : jobs.ofSpec(group)

/** Whether the orchestrator has older jobs of a group, as far as one can say. */
export const hasMore = (jobs: Jobs, group: GroupId): boolean => (isState(group) ? jobs.hasMore(group) : jobs.hasMoreOf(group))

/** Jobs of a group that are shown, with what is not read yet as far as that is known. */
export function countOf(jobs: Jobs, group: GroupId, shown: number, filter: JobFilter): { count: number; more: boolean } {
  const more = hasMore(jobs, group)
  const total = !more || isState(group) || !isEverything(filter) ? null : jobs.totalOf(group)
  return total === null ? { count: shown, more } : { count: total, more: false }
}

/** Whether a group of which no job is shown may have some that were not read. */
export function mayShow(jobs: Jobs, group: GroupId, { text, repositories }: JobFilter): boolean {
  if (isState(group)) return jobs.isRead(group) && jobs.hasMore(group)
  const { feature, repository } = specOfKey(group)
  if (repositories !== null && !repositories.includes(repository)) return false
  // What is searched for may be in any of hundreds; those whose name has it are worth a row.
  return hasWords(feature, text) && jobs.hasMoreOf(group)
}

/** Specs in the order of their rows. There may be thousands, and they are asked for many times between two changes: the last order is kept. */
export function createSpecOrder(): (specs: Iterable<SpecKey>) => readonly SpecKey[] {
  let known: ReadonlySet<SpecKey> = new Set()
  let inOrder: readonly SpecKey[] = []
  return specs => {
    const now = new Set(specs)
    if (now.size === known.size && [...now].every(key => known.has(key))) return inOrder
    known = now
    inOrder = [...now]
      .map(key => ({ key, ...specOfKey(key) }))
      .sort(newestSpecFirst)
      .map(({ key }) => key)
    return inOrder
  }
}

let made: Intl.Collator | undefined
/** Made when it is first asked for: to make one took a third of the time in which the extension is activated. */
const order = (): Intl.Collator => {
  made ??= new Intl.Collator('en', { numeric: true })
  return made
}
interface NamedSpec extends SpecOfKey {
  readonly key: SpecKey
}
/** By the numbers of features; jobs for no spec come last. */
function newestSpecFirst(one: NamedSpec, other: NamedSpec): number {
  if (one.feature === '' || other.feature === '') return Number(one.feature === '') - Number(other.feature === '')
  return (
    order().compare(other.feature, one.feature) ||
    order().compare(one.repository, other.repository) ||
    (one.key < other.key ? -1 : 1)
  )
}

/** @param count jobs of it that are shown */
export function groupRow(id: GroupId, { count, more, t }: { count: number; more: boolean; t: Translate }): Row {
  const description = more ? `${count}+` : `${count}`
  if (!isState(id)) return specRow(id, description, t)
  const isOpen = id === 'active' || id === 'queued'
  return { id, label: groupName(id, t), description, context: 'group', children: isOpen ? 'expanded' : 'collapsed' }
}

function specRow(id: SpecKey, count: string, t: Translate): Row {
  const { feature, repository } = specOfKey(id)
  const where = repository.split(/[/\\]/).at(-1) ?? ''
  const isNone = id === NO_SPEC
  return {
    id,
    label: isNone || feature === '' ? t('No Spec') : plainLine(feature),
    description: where === '' ? count : `${count} · ${plainLine(where, 40)}`,
    icon: isNone ? 'circle-slash' : 'notebook',
    context: 'group',
    children: 'collapsed',
  }
}

export function groupName(group: Group, t: Translate): string {
  switch (group) {
    case 'active':
      return t('Running')
    case 'queued':
      return t('Waiting')
    case 'succeeded':
      return t('Succeeded')
    case 'failed':
      return t('Failed')
    case 'cancelled':
      return t('Cancelled')
  }
}
