import {
  type SpecEditAccepted,
  type SpecFeature,
  type SpecFeatureSummary,
  type SpecProblem,
  type SpecTask,
  sanitizeLine,
} from '#shared/model/index.ts'
import { type Column, table } from '../table.ts'
import type { Terminal } from '../terminal.ts'

type Paint = Terminal['paint']

const of = (done: number, all: number): string => `${done}/${all}`

export function renderFeatures(features: readonly SpecFeatureSummary[], terminal: Pick<Terminal, 'columns' | 'paint'>): string[] {
  const columns: Column<SpecFeatureSummary>[] = [
    { title: 'FEATURE', value: ({ feature }) => sanitizeLine(feature) },
    { title: 'TASKS', value: ({ coverage }) => of(coverage.done, coverage.tasks), align: 'right' },
    { title: 'COVERED', value: ({ coverage }) => of(coverage.covered, coverage.requirements), align: 'right' },
    { title: 'OPEN', value: ({ coverage }) => String(coverage.clarifications), align: 'right' },
    { title: 'PROBLEMS', value: ({ coverage }) => String(coverage.problems), align: 'right' },
    { title: 'TITLE', value: ({ title }) => sanitizeLine(title), elastic: true },
  ]
  return table(features, columns, terminal)
}

/** A feature: its tasks by phase, then what is wrong, hints left out. */
export function renderFeature(feature: SpecFeature, { paint }: { readonly paint: Paint }): string[] {
  const { tasks, done, requirements, covered } = feature.coverage
  const lines = [
    sanitizeLine(feature.title),
    paint('dim', `${of(done, tasks)} tasks done · ${of(covered, requirements)} requirements with a task`),
  ]
  let phase: string | null | undefined
  for (const task of feature.tasks) {
    if (task.phase !== phase) lines.push('', ...(task.phase === null ? [] : [sanitizeLine(task.phase)]))
    phase = task.phase
    lines.push(taskLine(task, paint))
  }
  const problems = renderProblems(
    feature.problems.filter(({ severity }) => severity !== 'hint'),
    { paint },
  )
  return problems.length === 0 ? lines : [...lines, '', ...problems]
}

const COLOURS = { error: 'red', warning: 'yellow', info: 'dim', hint: 'dim' } as const

/** One line each, so that an editor's terminal makes the place a link. */
export const renderProblems = (problems: readonly SpecProblem[], { paint }: { readonly paint: Paint }): string[] =>
  problems.map(
    ({ severity, message, path, line }) =>
      `${sanitizeLine(`${path}:${line + 1}`)} ${paint(COLOURS[severity], severity)} ${sanitizeLine(message)}`,
  )

function taskLine({ id, title, isDone, job }: SpecTask, paint: Paint): string {
  const box = isDone ? paint('green', '☑') : '☐'
  return `${box} ${id} ${sanitizeLine(title)}${job ? paint('dim', ` ${sanitizeLine(jobOf(job))}`) : ''}`
}

function jobOf({ jobId, state, node, checks, wording }: NonNullable<SpecTask['job']>): string {
  const where = node === null ? '' : ` on ${node}`
  const said = checks.all === 0 ? '' : `, ${of(checks.green, checks.all)} checks green`
  const stale = state === 'succeeded' && wording !== 'same' ? ', for other words than these' : ''
  return `${state}${where}${said}${stale} (${jobId})`
}

/** What became of a change. */
export function renderAccepted(accepted: SpecEditAccepted): string {
  switch (accepted.status) {
    case 'offered':
      return 'It is shown in the editor that has this repository open, to be confirmed there.'
    case 'written':
      return `It is on branch ${accepted.branch}: \`git merge ${accepted.branch}\` takes it.`
    case 'unchanged':
      return 'It is so already.'
  }
}
