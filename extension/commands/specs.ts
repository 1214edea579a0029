import { isAbsolute, join, relative, sep } from 'node:path'
import * as vscode from 'vscode'
import { isEvidence } from '#shared/model/evidence.ts'
import type { Job, SpecTask } from '#shared/model/index.ts'
import type { Backend } from '../backend/backend.ts'
import type { CommandId } from '../manifest/commands.ts'
import { openFileOf } from '../panels/open-file.ts'
import type { Pages } from '../panels/pages.ts'
import { hasEnded } from '../state/job-states.ts'
import type { Started } from '../state/started.ts'
import { complain, confirm, inform } from '../ui/notice.ts'
import { t } from '../ui/texts.ts'
import type { SpecsView } from '../views/specs-view.ts'
import { jobRequest } from './job-request.ts'
import { startJob } from './jobs.ts'
import { askForTask, type FoundTask, type SpecArgumentDeps } from './spec-argument.ts'
import { taskPrompt } from './spec-prompt.ts'

export interface SpecCommandDeps extends SpecArgumentDeps {
  readonly started: Started
  readonly pages: Pages
  readonly specsView: Pick<SpecsView, 'task' | 'place'>
}

export function specCommands(deps: SpecCommandDeps) {
  const { backend, specs, specsView, started, pages } = deps
  return {
    async 'skein.specs.runTask'(argument: unknown) {
      const found = await askForTask(argument, deps, t('Run on the Fleet'), ({ isDone }) => !isDone)
      if (found && !isOpenHere(found.repository))
        throw new Error(t('{0} is not open in this window: open its folder first.', found.repository))
      if (!found || !(await mayRun(found)) || !(await isSaved(found, t('Save and Run')))) return
      const { repository, spec, task } = found
      const folder = { uri: vscode.Uri.file(repository), name: spec.feature, index: 0 }
      const request = jobRequest(taskPrompt(spec, task), folder)
      const jobId = await startJob(backend, started, { ...request, spec: { feature: spec.feature, task: task.id } })
      pages.open({ page: 'job', jobId, tab: 'log' })
      if (!request.checks)
        inform(t('{0} runs without a check, so that nothing will prove it done. Name one in the settings.', task.id), {
          title: t('Open Settings'),
          command: 'skein.server.settings',
        })
    },
    async 'skein.specs.tick'(argument: unknown) {
      const isProven = ({ isDone, job }: SpecTask) => !isDone && job !== null && isEvidence(job)
      const found = await askForTask(argument, deps, t('Tick from Evidence'), isProven)
      if (!found) return
      if (found.task.isDone) inform(t('The box of {0} is ticked already.', found.task.id))
      else if (await isSaved(found, t('Save and Tick'))) await tick(found)
    },
    async 'skein.specs.reveal'(argument: unknown) {
      const place = typeof argument === 'string' ? specsView.place(argument) : undefined
      if (place) await openFileOf(place.repository, place.path, place.line)
    },
    'skein.specs.openJob': (argument: unknown) => withJob(argument, t('Open Job of Task'), 'skein.jobs.open'),
    'skein.specs.reviewJob': (argument: unknown) => withJob(argument, t('Review Changes of Task'), 'skein.jobs.review'),
    'skein.specs.applyJob': (argument: unknown) => withJob(argument, t('Apply Changes of Task'), 'skein.jobs.apply'),
    async 'skein.specs.refresh'() {
      specs.forget(null)
      await specs.refresh()
    },
  }

  /** Does with the newest job of a task what a command does with a job. */
  async function withJob(argument: unknown, title: string, command: CommandId): Promise<void> {
    const found = await askForTask(argument, deps, title, ({ job }) => job !== null)
    const job = found?.task.job
    if (job) await vscode.commands.executeCommand(command, { jobId: job.jobId })
  }

  /** Proposes the edit; it comes back as one of the editor, which shows it before anything is changed. */
  async function tick({ repository, spec, task }: FoundTask): Promise<void> {
    const base = spec.documents.find(({ path }) => path === task.path)
    if (!base) throw new Error(t('{0} was not read.', task.path))
    const { jobId, checks } = task.job ?? { jobId: '', checks: { green: 0, all: 0 } }
    const answer = await backend.call('editSpec', {
      params: { feature: spec.feature },
      body: {
        repository,
        reason: `${task.id} is done: ${checks.green} of ${checks.all} checks of job ${jobId} are green`,
        bases: [{ path: base.path, sha256: base.sha256 }],
        change: { kind: 'tick', task: task.id },
      },
    })
    if (answer.status === 'unchanged') inform(t('The box of {0} is ticked already.', task.id))
    if (answer.status === 'written')
      inform(t('No editor has this folder open as its own: the change is on branch {0}.', answer.branch))
  }
}

/** Once the changes of a job are in the work tree: proposes to tick the box of its task, where the job proves it done. */
export async function proposeTick(backend: Backend, { id, spec: { spec: named, repository } }: Job): Promise<void> {
  if (!named || !repository) return
  try {
    const { tasks } = await backend.call('getSpec', {
      params: { feature: named.feature },
      query: { repository: repository.path },
    })
    const task = tasks.find(one => one.id === named.task)
    if (task?.job?.jobId !== id || task.isDone || !isEvidence(task.job)) return
  } catch (error) {
    complain(t('The box of {0} was not ticked', named.task), error)
    return
  }
  await vscode.commands.executeCommand('skein.specs.tick', { repository: repository.path, ...named })
}

/** A link may name any directory: where nobody has it open, nobody has looked at what a job would be told there. */
const isOpenHere = (repository: string): boolean =>
  (vscode.workspace.workspaceFolders ?? []).some(({ uri }) => {
    const between = relative(repository, uri.fsPath)
    return uri.scheme === 'file' && !isAbsolute(between) && between.split(sep)[0] !== '..'
  })

/** Asks about what speaks against it. */
async function mayRun({ spec, task }: FoundTask): Promise<boolean> {
  const { id, job, after } = task
  if (job && !hasEnded(job.state)) {
    const detail = t('Job {0} is at work on it. Another one would do the same again.', job.jobId)
    return confirm(t('{0} runs already. Run it again?', id), detail, t('Run Again'))
  }
  const open = spec.tasks.filter(other => after.includes(other.id) && !other.isDone).map(other => other.id)
  if (open.length === 0) return true
  const detail = t('It follows {0}, and their boxes are not ticked.', open.slice(0, 20).join(', '))
  return confirm(t('Run {0} before what it depends on?', id), detail, t('Run Anyway'))
}

/** What is only in the editor is seen by no job and by no orchestrator. @returns whether the document of the task is saved */
async function isSaved({ repository, task }: FoundTask, yes: string): Promise<boolean> {
  const file = vscode.Uri.file(join(repository, task.path)).toString()
  const document = vscode.workspace.textDocuments.find(({ uri, isDirty }) => isDirty && uri.toString() === file)
  if (!document) return true
  const detail = t('What was not saved is not seen by the orchestrator.')
  return (await confirm(t('{0} has changes that are not saved.', task.path), detail, yes)) && document.save()
}
