import type { JobEntry } from '../state/job-entry.ts'
import { positionOf } from '../state/job-index.ts'
import { specKeyOf } from '../state/job-specs.ts'
import { GROUP_OF, GROUPS } from '../state/job-states.ts'
import { type Jobs, PAGE } from '../state/jobs.ts'
import type { Disposable } from '../state/signal.ts'
import { fits, groupsOf, isEverything, type JobFilter } from './job-filter.ts'
import {
  countOf,
  createSpecOrder,
  type GroupId,
  type Grouping,
  groupRow,
  hasMore,
  isState,
  type JobPlace,
  jobsOf,
  mayShow,
  pageId,
  placeOf,
} from './job-groups.ts'
import { jobRow, jobTooltip, type Look } from './job-row.ts'
import type { Row, Tree } from './row.ts'

export interface JobsTreeDeps extends Look {
  readonly jobs: Jobs
  readonly filter: () => JobFilter
  readonly grouping: () => Grouping
}

export interface JobsTree extends Tree, Disposable {
  /**
   * Rows to draw again, the rows below them included, once for what happened since the last time; null: all.
   * @param changed jobs of which something is different; null: more than can be named
   */
  redraw(changed: ReadonlySet<string> | null): readonly string[] | null
}

/** The row that reads jobs from before those that were read, where they are not in the order of the states. */
const OLDER = 'older'

/**
 * Groups, in each the newest jobs and a row for those before them, and so on: no row has more than {@link PAGE} + 1 children however many
 * jobs there are, or specs that they are for. Pages that nobody opened are not read.
 */
export function createJobsTree(deps: JobsTreeDeps): JobsTree {
  const { jobs, filter, grouping, t } = deps
  /** Groups that got or lost a job, or show another number of them, since the last redraw. */
  const stirred = new Set<GroupId>()
  /** The groups as they were asked for last. */
  let drawn = ''

  const groupOf = ({ summary }: JobEntry): GroupId => (grouping() === 'state' ? GROUP_OF[summary.state] : specKeyOf(summary))
  const shown = (group: GroupId): readonly JobEntry[] =>
    isEverything(filter()) ? jobsOf(jobs, group) : jobsOf(jobs, group).filter(entry => fits(entry, filter()))
  const specsInOrder = createSpecOrder()
  const groupIds = (): readonly GroupId[] => (grouping() === 'state' ? groupsOf(filter()) : specsInOrder(jobs.specs()))
  /** One with none to show stands there while older ones might. */
  const shownGroups = () => groupIds().filter(group => shown(group).length > 0 || mayShow(jobs, group, filter()))
  const rowOf = (group: GroupId): Row => groupRow(group, { ...countOf(jobs, group, shown(group).length, filter()), t })

  function pageRow({ group, page }: JobPlace): Row {
    const label = group === null ? t('More specs') : isEverything(filter()) ? t('Older jobs') : t('Search older jobs')
    const icon = group === null ? 'notebook' : 'history'
    return { id: pageId({ group, page }), label, icon, context: 'older', children: 'collapsed' }
  }
  const olderRow = (): Row => ({
    id: OLDER,
    label: isEverything(filter()) ? t('Read older jobs') : t('Search older jobs'),
    icon: 'history',
    context: 'older',
    command: 'skein.jobs.readOlder',
  })
  const mayHaveOlder = () => grouping() === 'spec' && groupsOf(filter()).some(jobs.hasMore)
  function pageOfGroups(page: number): readonly Row[] {
    const groups = shownGroups()
    // The last one is for older jobs.
    const size = PAGE - 1
    const rows = groups.slice(page * size, (page + 1) * size).map(rowOf)
    if (groups.length > (page + 1) * size) rows.push(pageRow({ group: null, page: page + 1 }))
    return page === 0 && mayHaveOlder() ? [...rows, olderRow()] : rows
  }
  async function pageOfJobs(group: GroupId, page: number): Promise<readonly Row[]> {
    const from = page * PAGE
    const read = () => jobsOf(jobs, group)
    const isShort = () => page > 0 && read().length < from + PAGE
    if (!isState(group)) while (jobs.pagesOf(group) <= page && jobs.hasMoreOf(group)) await jobs.readMoreOf(group)
    else if (!jobs.isRead(group) || (isShort() && jobs.hasMore(group))) await jobs.readMore(group)
    // Pages are of all jobs, so that a search shows what it found in each, and offers the next.
    const rows = read()
      .slice(from, from + PAGE)
      .filter(entry => fits(entry, filter()))
      .map(entry => jobRow(entry, deps))
    return read().length > from + PAGE || hasMore(jobs, group) ? [...rows, pageRow({ group, page: page + 1 })] : rows
  }
  function parentOfPlace({ group, page }: JobPlace): string | null {
    if (page > 1) return pageId({ group, page: page - 1 })
    if (page === 1) return group
    const at = group === null ? -1 : Math.floor(shownGroups().indexOf(group) / (PAGE - 1))
    return at > 0 ? pageId({ group: null, page: at }) : null
  }
  // Once all of every state is read no spec has more.
  const outline = (groups: readonly GroupId[]) => JSON.stringify([groups, mayHaveOlder(), GROUPS.some(jobs.hasMore)])

  const listening = jobs.onPut(({ before, entry }) => {
    const group = groupOf(entry)
    const from = before && groupOf(before)
    if (from === group && before && fits(before, filter()) === fits(entry, filter())) return
    stirred.add(group)
    if (from !== undefined) stirred.add(from)
  })
  const paging = jobs.onPage(spec => {
    if (grouping() === 'spec') stirred.add(spec)
  })
  return {
    async children(id) {
      if (id === null) {
        if (grouping() === 'spec') await jobs.readSpecs()
        drawn = outline(shownGroups())
        return pageOfGroups(0)
      }
      const at = placeOf(id)
      if (!at) return []
      return at.group === null ? pageOfGroups(at.page) : pageOfJobs(at.group, at.page)
    },
    row(id) {
      if (id === OLDER) return olderRow()
      const at = placeOf(id)
      if (at) return at.page === 0 && at.group !== null ? rowOf(at.group) : pageRow(at)
      const entry = jobs.get(id)
      return entry && jobRow(entry, deps)
    },
    parent(id) {
      const at = placeOf(id)
      if (at) return parentOfPlace(at)
      const entry = jobs.get(id)
      if (!entry) return null
      const group = groupOf(entry)
      const page = Math.floor(positionOf(jobsOf(jobs, group), entry.summary) / PAGE)
      return page === 0 ? group : pageId({ group, page })
    },
    tooltip(id) {
      const entry = jobs.get(id)
      return entry && jobTooltip(entry, deps)
    },
    redraw(changed) {
      const groups = stirred.size === 0 ? [] : shownGroups()
      const rows: string[] = groups.filter(group => stirred.has(group))
      const isOther = stirred.size > 0 && outline(groups) !== drawn
      const isStirred = (entry: JobEntry) => stirred.has(groupOf(entry))
      // The row of its group brings a job along.
      for (const id of changed ?? []) {
        const entry = jobs.get(id)
        if (entry && fits(entry, filter()) && !isStirred(entry)) rows.push(id)
      }
      stirred.clear()
      return changed === null || isOther ? null : rows
    },
    dispose() {
      listening.dispose()
      paging.dispose()
    },
  }
}
