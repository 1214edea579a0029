import * as vscode from 'vscode'
import { isEverything, type JobFilter } from '../rows/job-filter.ts'
import { groupName } from '../rows/job-groups.ts'
import { jobDescription, type Look } from '../rows/job-row.ts'
import { createJobsTree } from '../rows/jobs-tree.ts'
import type { Changes } from '../state/changes.ts'
import type { Clock } from '../state/clock.ts'
import type { JobList } from '../state/job-list.ts'
import type { Jobs } from '../state/jobs.ts'
import type { Disposable } from '../state/signal.ts'
import { setContext } from '../ui/context-keys.ts'
import { t } from '../ui/texts.ts'
import { showTree } from './tree-view.ts'

/** Between two looks at the times of running jobs, ms. */
const TICK_MS = 1000

export function createJobsView(deps: Look & { jobs: Jobs; list: JobList; changes: Changes; clock: Clock }): vscode.Disposable {
  const { jobs, list, changes, clock } = deps
  let filter = filterOf(list)
  const tree = createJobsTree({ ...deps, filter: () => filter, grouping: () => list.wishes.grouping })
  const redraws = { listen: (draw: (rows: Iterable<string> | null) => void) => changes.listen(ids => draw(tree.redraw(ids))) }
  const shown = showTree({ id: 'skein.jobs', tree, changes: redraws })
  const { view } = shown
  /** What was shown of each running job, to redraw those alone that read differently now. */
  let said = new Map<string, string>()
  let timer: Disposable | null = null

  function tick(): void {
    timer = null
    const running = jobs.inGroup('active')
    if (!view.visible || running.length === 0) return
    const now = new Map(running.map(entry => [entry.summary.id, jobDescription(entry, deps)]))
    for (const [id, text] of now) if (said.has(id) && said.get(id) !== text) changes.mark(id)
    said = now
    timer = clock.after(TICK_MS, tick)
  }
  /** The clock goes only while somebody looks and something runs. */
  function wind(): void {
    timer ??= clock.after(TICK_MS, tick)
  }
  function tell(): void {
    const active = jobs.inGroup('active')
    const questions = active.filter(({ question }) => question !== null).length
    setContext('skein.jobs.active', active.length + jobs.inGroup('queued').length > 0)
    setContext('skein.jobs.results', jobs.inGroup('succeeded').length > 0)
    view.badge =
      questions > 0 ? { value: questions, tooltip: t('{0} permission requests wait for an answer', questions) } : undefined
    wind()
  }
  function describe(): void {
    filter = filterOf(list)
    setContext('skein.jobs.filtered', !isEverything(filter))
    setContext('skein.jobs.grouping', list.wishes.grouping)
    view.description = wishesText(list)
  }
  const refilter = () => {
    describe()
    shown.refresh()
  }
  describe()
  const listening = vscode.Disposable.from(
    changes.listen(tell),
    list.onChange(refilter),
    vscode.workspace.onDidChangeWorkspaceFolders(refilter),
    view.onDidChangeVisibility(wind),
  )
  return {
    dispose() {
      timer?.dispose()
      listening.dispose()
      shown.dispose()
      tree.dispose()
    },
  }
}

function filterOf({ wishes: { text, onlyHere, groups } }: JobList): JobFilter {
  const folders = () => (vscode.workspace.workspaceFolders ?? []).map(({ uri }) => uri.fsPath)
  return { text, groups, repositories: onlyHere ? folders() : null }
}

/** What of the jobs is shown, and how, where that is not what is shown at first. */
function wishesText({ wishes: { grouping, text, onlyHere, groups } }: JobList): string {
  const words = [
    grouping === 'spec' ? t('by spec') : null,
    text === '' ? null : `“${text}”`,
    onlyHere ? t('this workspace') : null,
    groups === null ? null : groups.map(group => groupName(group, t)).join(', '),
  ]
  return words.filter(word => word !== null).join(' · ')
}
