import type { JobEntry } from '../state/job-entry.ts'
import { GROUPS, type Group } from '../state/job-states.ts'
import { type Jobs, PAGE } from '../state/jobs.ts'
import { jobRow, jobTooltip, type Look } from './job-row.ts'
import type { Row, Translate, Tree } from './row.ts'

/** What of the jobs is shown. */
export interface JobFilter {
  /** Words that all have to be in the title, the id, the agent or the node; empty: no search. */
  readonly text: string
  /** Only jobs of these work trees; null: of all. */
  readonly repositories: readonly string[] | null
}
export const EVERYTHING: JobFilter = { text: '', repositories: null }

export interface JobsTreeDeps extends Look {
  readonly jobs: Jobs
  readonly filter: () => JobFilter
}

const isGroup = (id: string): id is Group => (GROUPS as readonly string[]).includes(id)
/** The row that holds what comes after so many pages. */
const older = (group: Group, page: number) => `${group}+${page}`

/**
 * Groups, in each the newest jobs and a row for those before them, and so on: no row has more than {@link PAGE} + 1 children however many
 * jobs there are. Pages that nobody opened are not read.
 */
export function createJobsTree(deps: JobsTreeDeps): Tree {
  const { jobs, filter, t } = deps
  const isFiltered = () => filter().text !== '' || filter().repositories !== null
  const shown = (group: Group): readonly JobEntry[] =>
    isFiltered() ? jobs.inGroup(group).filter(entry => fits(entry, filter())) : jobs.inGroup(group)

  function groupRow(group: Group): Row {
    const count = shown(group).length
    const isOpen = group === 'active' || group === 'queued'
    return {
      id: group,
      label: groupName(group, t),
      description: jobs.hasMore(group) ? `${count}+` : `${count}`,
      context: 'group',
      children: isOpen ? 'expanded' : 'collapsed',
    }
  }
  const olderRow = (group: Group, page: number): Row => ({
    id: older(group, page),
    label: isFiltered() ? t('Search older jobs') : t('Older jobs'),
    icon: 'history',
    context: 'older',
    children: 'collapsed',
  })
  async function pageOf(group: Group, page: number): Promise<readonly Row[]> {
    const from = page * PAGE
    const read = () => jobs.inGroup(group)
    if (!jobs.isRead(group) || (page > 0 && read().length < from + PAGE && jobs.hasMore(group))) await jobs.readMore(group)
    // Pages are of all jobs, so that a search shows what it found in each, and offers the next.
    const rows = read()
      .slice(from, from + PAGE)
      .filter(entry => fits(entry, filter()))
      .map(entry => jobRow(entry, deps))
    return read().length > from + PAGE || jobs.hasMore(group) ? [...rows, olderRow(group, page + 1)] : rows
  }
  function place(id: string): { group: Group; page: number } | null {
    const [group = '', page] = id.split('+')
    return isGroup(group) ? { group, page: page === undefined ? 0 : Number(page) } : null
  }

  return {
    children(id) {
      if (id === null)
        return GROUPS.filter(group => shown(group).length > 0 || (jobs.isRead(group) && jobs.hasMore(group))).map(groupRow)
      const at = place(id)
      return at ? pageOf(at.group, at.page) : []
    },
    row(id) {
      const at = place(id)
      if (at) return at.page === 0 ? groupRow(at.group) : olderRow(at.group, at.page)
      const entry = jobs.get(id)
      return entry && jobRow(entry, deps)
    },
    parent(id) {
      const at = place(id)
      if (at) return at.page === 0 ? null : at.page === 1 ? at.group : older(at.group, at.page - 1)
      for (const group of GROUPS) {
        const position = jobs.inGroup(group).findIndex(({ summary }) => summary.id === id)
        if (position >= 0) return position < PAGE ? group : older(group, Math.floor(position / PAGE))
      }
      return null
    },
    tooltip(id) {
      const entry = jobs.get(id)
      return entry && jobTooltip(entry, deps)
    },
  }
}

function groupName(group: Group, t: Translate): string {
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

function fits({ summary, node }: JobEntry, { text, repositories }: JobFilter): boolean {
  if (text === '' && repositories === null) return true
  if (repositories !== null && !repositories.includes(summary.repository ?? '')) return false
  const where = `${summary.title} ${summary.id} ${summary.agent} ${node ?? ''}`.toLowerCase()
  return text
    .toLowerCase()
    .split(/\s+/)
    .every(word => where.includes(word))
}
