import type { SpecFeature, SpecFeatureSummary, SpecTask } from '#shared/model/index.ts'
import { sanitizeLine } from '../sanitize.ts'
import { type Column, table } from '../table.ts'
import type { Terminal } from '../terminal.ts'

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

/** A feature: its tasks by phase, then what is wrong. */
export function renderFeature(feature: SpecFeature, { paint }: Pick<Terminal, 'paint'>): string[] {
  const { coverage } = feature
  const lines = [
    sanitizeLine(feature.title),
    paint(
      'dim',
      `${of(coverage.done, coverage.tasks)} tasks done · ${of(coverage.covered, coverage.requirements)} requirements with a task`,
    ),
  ]
  let phase: string | null = null
  for (const task of feature.tasks) {
    if (task.phase !== phase) lines.push('', sanitizeLine(task.phase ?? ''))
    phase = task.phase
    lines.push(taskLine(task, paint))
  }
  if (feature.problems.length > 0) lines.push('')
  for (const { severity, message, path, line } of feature.problems) {
    if (severity === 'hint') continue
    const colour = severity === 'error' ? 'red' : severity === 'warning' ? 'yellow' : 'dim'
    lines.push(`${paint(colour, severity)} ${sanitizeLine(`${path}:${line + 1} ${message}`)}`)
  }
  return lines
}

function taskLine({ id, title, isDone, job }: SpecTask, paint: Terminal['paint']): string {
  const box = isDone ? paint('green', '☑') : '☐'
  const by = job ? paint('dim', ` ${job.state}${job.node === null ? '' : ` on ${sanitizeLine(job.node)}`} ${job.jobId}`) : ''
  return `${box} ${id} ${sanitizeLine(title)}${by}`
}
