import type { SpecTask } from '#shared/model/index.ts'

/** A part of the tasks, as the document has them. */
export interface Phase {
  readonly title: string | null
  /** Tasks of one wave may be done at the same time; each wave after the one before it. */
  readonly waves: readonly (readonly SpecTask[])[]
}

/**
 * Tasks in the order of their document. Those that stand together, are marked `[P]`, and wait for none of each other are one wave; any other
 * task is one of its own.
 */
export function phasesOf(tasks: readonly SpecTask[]): readonly Phase[] {
  const phases: { title: string | null; waves: SpecTask[][] }[] = []
  for (const task of tasks) {
    let phase = phases.at(-1)
    if (!phase || phase.title !== task.phase) {
      phase = { title: task.phase, waves: [] }
      phases.push(phase)
    }
    const wave = phase.waves.at(-1)
    const joins = wave?.[0]?.isParallel && task.isParallel && !wave.some(({ id }) => task.after.includes(id))
    if (joins) wave?.push(task)
    else phase.waves.push([task])
  }
  return phases
}

/** How far a task is: by its box, else by its newest job. */
export type TaskState = 'done' | 'to do' | NonNullable<SpecTask['job']>['state']
export const stateOf = ({ isDone, job }: Pick<SpecTask, 'isDone' | 'job'>): TaskState =>
  isDone ? 'done' : (job?.state ?? 'to do')

const ORDER: readonly TaskState[] = [
  'done',
  'succeeded',
  'checking',
  'running',
  'preparing',
  'placing',
  'queued',
  'failed',
  'cancelled',
  'to do',
]

/** How many tasks are in each state that one is in, the furthest first. */
export function tally(tasks: readonly SpecTask[]): readonly (readonly [state: TaskState, count: number])[] {
  const states = tasks.map(stateOf)
  return ORDER.map(state => [state, states.filter(one => one === state).length] as const).filter(([, count]) => count > 0)
}

/** What an agent is told about a task. It finds the documents in its work tree. */
export const promptOf = ({ id, title, path }: Pick<SpecTask, 'id' | 'title' | 'path'>): string =>
  `Do task ${id} of ${path}: ${title}\n\nRead that document and those beside it first. Do this task and no other, and leave its box as it is.`
