import type { JobSpec } from './job.ts'

/** First line of the task, or the program: what a list shows. At most 120 characters. */
export function jobTitle(spec: Pick<JobSpec, 'task' | 'argv'>): string {
  const line = spec.task.trim().split('\n', 1)[0] || (spec.argv ?? []).join(' ') || 'untitled'
  return line.length > 120 ? `${line.slice(0, 119)}…` : line
}
