import * as vscode from 'vscode'
import { groupsOf } from '../rows/job-filter.ts'
import { groupName } from '../rows/job-groups.ts'
import { plainLine } from '../rows/plain.ts'
import type { JobList } from '../state/job-list.ts'
import { GROUPS } from '../state/job-states.ts'
import type { Jobs } from '../state/jobs.ts'
import { t } from '../ui/texts.ts'

/** What the view of the jobs shows, and how. */
export function jobListCommands({ jobs, list }: { jobs: Jobs; list: JobList }) {
  return {
    async 'skein.jobs.search'() {
      const text = await vscode.window.showInputBox({
        title: t('Search Jobs'),
        prompt: t('Words of the title, the id, the agent, the task or the node.'),
        value: list.wishes.text,
      })
      if (text !== undefined) list.change({ text: plainLine(text) })
    },
    async 'skein.jobs.filterState'() {
      const items = GROUPS.map(group => ({
        label: groupName(group, t),
        picked: groupsOf(list.wishes).includes(group),
        group,
      }))
      const picked = await vscode.window.showQuickPick(items, {
        title: t('Filter Jobs by State'),
        placeHolder: t('Which jobs are shown?'),
        canPickMany: true,
      })
      if (picked) list.change({ groups: picked.map(({ group }) => group) })
    },
    'skein.jobs.onlyHere': () => list.change({ onlyHere: true }),
    'skein.jobs.showAll': () => list.change({ text: '', onlyHere: false, groups: null }),
    'skein.jobs.groupBySpec': () => list.change({ grouping: 'spec' }),
    'skein.jobs.groupByState': () => list.change({ grouping: 'state' }),
    async 'skein.jobs.readOlder'() {
      await Promise.all(groupsOf(list.wishes).map(jobs.readMore))
    },
    async 'skein.jobs.refresh'() {
      await jobs.reset()
    },
  }
}
