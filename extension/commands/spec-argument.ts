import * as vscode from 'vscode'
import type { SpecFeature, SpecTask } from '#shared/model/index.ts'
import type { Backend } from '../backend/backend.ts'
import { plainLabel } from '../rows/plain.ts'
import type { Specs } from '../state/specs.ts'
import { t } from '../ui/texts.ts'
import type { SpecsView } from '../views/specs-view.ts'

/** A task by name. */
export interface NamedTask {
  /** Absolute path of the work tree. */
  readonly repository: string
  readonly feature: string
  /** Its id. */
  readonly task: string
}
/** A task as the orchestrator has it, with the feature it is of. */
export interface FoundTask {
  readonly repository: string
  readonly spec: SpecFeature
  readonly task: SpecTask
}

export interface SpecArgumentDeps {
  readonly backend: Backend
  readonly specs: Specs
  readonly specsView: Pick<SpecsView, 'task'>
}

/** The task that a lens, a row or another part of the extension names. */
function namedBy(argument: unknown, { specsView }: SpecArgumentDeps): NamedTask | undefined {
  if (typeof argument === 'string') {
    const found = specsView.task(argument)
    return found && { repository: found.repository, feature: found.feature, task: found.task.id }
  }
  const { repository, feature, task } = (argument ?? {}) as Partial<Record<keyof NamedTask, unknown>>
  const isNamed = typeof repository === 'string' && typeof feature === 'string' && typeof task === 'string'
  return isNamed ? { repository, feature, task } : undefined
}

/**
 * The task a command is for, as it is now: the one it was given, else one that the person picks.
 * @returns undefined when the person thought better of it @throws {BackendError} @throws {Error} when there is no such task
 */
export async function askForTask(
  argument: unknown,
  deps: SpecArgumentDeps,
  title: string,
  fits: (task: SpecTask) => boolean,
): Promise<FoundTask | undefined> {
  const named = namedBy(argument, deps)
  if (named) return findTask(named, deps)
  const picked = await pickFeature(deps, title)
  if (!picked) return undefined
  const spec = await read(picked, deps)
  const items = spec.tasks
    .filter(fits)
    .map(task => ({ label: plainLabel(`${task.id} ${task.title}`), description: plainLabel(task.phase ?? ''), task }))
  const chosen = await vscode.window.showQuickPick(items, { title, placeHolder: t('Which task?'), matchOnDescription: true })
  return chosen && { repository: picked.repository, spec, task: chosen.task }
}

const read = ({ repository, feature }: Omit<NamedTask, 'task'>, { backend }: SpecArgumentDeps): Promise<SpecFeature> =>
  backend.call('getSpec', { params: { feature }, query: { repository } })

async function findTask(named: NamedTask, deps: SpecArgumentDeps): Promise<FoundTask> {
  const spec = await read(named, deps)
  const tasks = spec.tasks.filter(({ id }) => id === named.task)
  const [task] = tasks
  if (!task) throw new Error(t('{0} has no task {1} on disk. If it is new, save its document first.', named.feature, named.task))
  if (tasks.length > 1)
    throw new Error(t('{0} has more than one task {1}: give each an id of its own.', named.feature, named.task))
  return { repository: named.repository, spec, task }
}

async function pickFeature({ specs }: SpecArgumentDeps, title: string): Promise<Omit<NamedTask, 'task'> | undefined> {
  await specs.refresh()
  const items = specs.folders().flatMap(({ repository, features }) =>
    features.map(({ feature, title: about }) => ({
      label: plainLabel(feature),
      description: plainLabel(about),
      ...(specs.folders().length > 1 ? { detail: plainLabel(repository) } : {}),
      repository,
      feature,
    })),
  )
  if (items.length === 1) return items[0]
  return vscode.window.showQuickPick(items, { title, placeHolder: t('Which feature?'), matchOnDescription: true })
}
