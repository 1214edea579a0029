import * as vscode from 'vscode'
import { jobDescription, type Look } from '../rows/job-row.ts'
import { createJobsTree, EVERYTHING, type JobFilter } from '../rows/jobs-tree.ts'
import type { Changes } from '../state/changes.ts'
import type { Clock } from '../state/clock.ts'
import type { Jobs } from '../state/jobs.ts'
import type { Disposable } from '../state/signal.ts'
import { setContext } from '../ui/context-keys.ts'
import { t } from '../ui/texts.ts'
import { showTree } from './tree-view.ts'

/** Between two looks at the times of running jobs, ms. */
const TICK_MS = 1000

export interface JobsView extends vscode.Disposable {
  readonly filter: JobFilter
  setFilter(filter: Partial<JobFilter>): void
  /** The job whose row is selected. */
  selected(): string | undefined
}

export function createJobsView(deps: Look & { jobs: Jobs; changes: Changes; clock: Clock }): JobsView {
  const { jobs, changes, clock } = deps
  let filter = EVERYTHING
  const tree = createJobsTree({ ...deps, filter: () => filter })
  const shown = showTree({ id: 'skein.jobs', tree, changes })
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
    setContext('skein.jobs.filtered', filter.text !== '' || filter.repositories !== null)
    const words = [filter.text === '' ? null : `“${filter.text}”`, filter.repositories === null ? null : t('this workspace')]
    view.description = words.filter(word => word !== null).join(', ')
    shown.refresh()
  }
  const listening = vscode.Disposable.from(changes.listen(tell), view.onDidChangeVisibility(wind))
  return {
    get filter() {
      return filter
    },
    setFilter(change) {
      filter = { ...filter, ...change }
      describe()
    },
    selected: () => view.selection[0],
    dispose() {
      timer?.dispose()
      listening.dispose()
      shown.dispose()
    },
  }
}
