import type { JobEntry } from '../state/job-entry.ts'
import { GROUP_OF, GROUPS, type Group } from '../state/job-states.ts'

/** What of the jobs is shown. */
export interface JobFilter {
  /** Words that all have to be in the title, the id, the agent, the task or the node; empty: no search. */
  readonly text: string
  /** Only jobs of these work trees; null: of all. */
  readonly repositories: readonly string[] | null
  /** Only jobs in these states; null: in all. */
  readonly groups: readonly Group[] | null
}
export const EVERYTHING: JobFilter = { text: '', repositories: null, groups: null }

export const isEverything = ({ text, repositories, groups }: JobFilter): boolean =>
  text === '' && repositories === null && groups === null

/** Groups that a filter leaves, in their order. */
export const groupsOf = ({ groups }: Pick<JobFilter, 'groups'>): readonly Group[] =>
  GROUPS.filter(group => groups === null || groups.includes(group))

/** Whether a job is one of those that are shown. */
export function fits({ summary, node }: JobEntry, { text, repositories, groups }: JobFilter): boolean {
  if (groups !== null && !groups.includes(GROUP_OF[summary.state])) return false
  if (repositories !== null && !repositories.includes(summary.repository ?? '')) return false
  if (text === '') return true
  const { title, id, agent, spec } = summary
  return hasWords(`${title} ${id} ${agent} ${node ?? ''} ${spec ? `${spec.feature}/${spec.task}` : ''}`, text)
}

/** Whether all words of a search are somewhere in a text. */
export function hasWords(text: string, words: string): boolean {
  const where = text.toLowerCase()
  return words
    .toLowerCase()
    .split(/\s+/)
    .every(word => where.includes(word))
}
