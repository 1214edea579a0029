import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import * as vscode from 'vscode'
import type { JobId } from '#shared/model/index.ts'
import type { Backend } from '../backend/backend.ts'
import { blobUri } from '../result/blobs.ts'
import { isSubmodule } from '../result/change.ts'
import { GitError } from '../result/git.ts'
import { contentsOf, type JobChanges, loadChanges, NoChanges } from '../result/load.ts'
import { type Obstacle, type Plan, planChanges } from '../result/plan.ts'
import { presentIn } from '../result/present.ts'
import { savingIn, setModes, workspaceEdits } from '../result/workspace-edit.ts'
import { plainLine } from '../rows/plain.ts'
import type { Handled, Handling } from '../state/handled.ts'
import type { JobEntry } from '../state/job-entry.ts'
import { hasEnded } from '../state/job-states.ts'
import type { Jobs } from '../state/jobs.ts'
import { confirm, inform } from '../ui/notice.ts'
import { setting } from '../ui/settings.ts'
import type { TextDocuments } from '../ui/text-documents.ts'
import { t } from '../ui/texts.ts'
import { askForJob } from './job-argument.ts'
import { proposeTick } from './specs.ts'

export interface ResultCommandDeps {
  readonly backend: Backend
  readonly jobs: Jobs
  readonly handled: Handled
  readonly texts: TextDocuments
}

const mayHaveChanges = ({ summary, hasChanges }: JobEntry) => hasChanges ?? summary.state === 'succeeded'

export function resultCommands({ backend, jobs, handled, texts }: ResultCommandDeps) {
  async function load(id: JobId): Promise<JobChanges | undefined> {
    const location = vscode.ProgressLocation.Window
    try {
      return await vscode.window.withProgress({ location, title: t('Reading the changes') }, () => loadChanges(backend, id))
    } catch (error) {
      if (!(error instanceof NoChanges)) throw error
      if (error.isElsewhere) await showPatch(id, error.message)
      else inform(error.message)
      return undefined
    }
  }
  function settle(id: JobId, handling: Handling): void {
    handled.set(id, handling)
    jobs.touch(id)
  }
  /** For a result of a repository that is not here. */
  async function showPatch(id: JobId, why: string): Promise<void> {
    const chunks: Buffer[] = []
    await backend.call('getDiff', { params: { id } }, { onPiece: base64 => chunks.push(Buffer.from(base64, 'base64')) })
    await texts.show(`${id}.patch`, Buffer.concat(chunks).toString())
    inform(t('{0} This is its patch.', why))
  }
  return {
    async 'skein.jobs.review'(argument: unknown) {
      const id = await askForJob(argument, jobs, t('Review Changes'), mayHaveChanges)
      const loaded = id && (await load(id))
      if (loaded) await review(loaded)
    },
    async 'skein.jobs.apply'(argument: unknown) {
      const id = await askForJob(argument, jobs, t('Apply Changes'), mayHaveChanges)
      const loaded = id && (await load(id))
      if (!loaded || !(await apply(loaded))) return
      settle(id, 'applied')
      await proposeTick(backend, loaded.job)
    },
    async 'skein.jobs.checkout'(argument: unknown) {
      const id = await askForJob(argument, jobs, t('Check Out as Branch'), mayHaveChanges)
      const loaded = id && (await load(id))
      if (loaded) await checkOut(loaded)
    },
    async 'skein.jobs.discard'(argument: unknown) {
      const id = await askForJob(argument, jobs, t('Discard Result'), ({ summary }) => hasEnded(summary.state))
      if (!id) return
      const loaded = await loadChanges(backend, id).catch(() => null)
      const title = plainLine(jobs.get(id)?.summary.title ?? id, 80)
      const detail = t(
        'Its commit is let go in your repository, and it is not offered any more. The orchestrator keeps the job until it is pruned.',
      )
      if (!(await confirm(t('Discard the result of “{0}”?', title), detail, t('Discard')))) return
      await loaded?.git.act('update-ref', '-d', `refs/skein/jobs/${id}`)
      settle(id, 'discarded')
    },
  }
}

/** All changes side by side: what the job found, and what it left. */
async function review({ job, root, changes }: JobChanges): Promise<void> {
  const side = (path: string, { id }: { id: string | null }) => (id === null ? undefined : blobUri(root, path, id))
  const rows = changes
    .filter(({ before, after }) => !isSubmodule(before) && !isSubmodule(after))
    .map(({ path, oldPath, before, after }) => [vscode.Uri.file(join(root, path)), side(oldPath, before), side(path, after)])
  await vscode.commands.executeCommand('vscode.changes', t('Changes of “{0}”', plainLine(job.title, 60)), rows)
}

/** @returns whether all of it is in the work tree now, as far as the person wanted it */
async function apply(loaded: JobChanges): Promise<boolean> {
  const { job, changes } = loaded
  const root = await realpath(loaded.root)
  const contents = await contentsOf(loaded)
  const plan = await planChanges(changes, {
    content: id => contents.get(id) ?? Buffer.alloc(0),
    present: presentIn(root),
    merge: loaded.git.merge,
  })
  if (plan.obstacles.length > 0 && !(await goesOnWithout(plan, job.id))) return false
  if (plan.steps.length === 0) {
    inform(t('Nothing to do: the files have these changes already.'))
    return plan.obstacles.length === 0
  }
  const needsConfirmation = await wantsPreview(plan, job.title)
  if (needsConfirmation === undefined) return false
  const saveWhatWasSaved = savingIn(plan, root)
  // Not as a refactoring: of those the editor saves every file, with what the person has not saved in it, or none where there is one file.
  if (plan.steps.some(({ kind }) => kind !== 'mode'))
    for (const edit of workspaceEdits(plan, { root, label: job.title, needsConfirmation }))
      if (!(await vscode.workspace.applyEdit(edit))) return false
  await saveWhatWasSaved()
  await setModes(plan, root)
  return true
}

/** @returns undefined when nothing is to be applied */
async function wantsPreview({ steps }: Plan, title: string): Promise<boolean | undefined> {
  const preview = setting('skein.apply.preview')
  if (preview !== 'ask') return preview === 'always'
  const all = t('Apply All')
  const some = t('Choose…')
  const paths = [...new Set(steps.map(({ path }) => path))]
  const lines = paths.slice(0, 20).map(path => plainLine(path))
  const more = paths.length > lines.length ? [t('and {0} more', paths.length - lines.length)] : []
  const count = paths.length === 1 ? t('one file') : t('{0} files', paths.length)
  const text = t('Apply the changes of “{0}” to {1}?', plainLine(title, 80), count)
  const picked = await vscode.window.showInformationMessage(
    text,
    { modal: true, detail: [...lines, ...more].join('\n') },
    all,
    some,
  )
  return picked === undefined ? undefined : picked === some
}

function reasonText({ path, reason }: Obstacle): string {
  const reasons: Readonly<Record<Obstacle['reason'], string>> = {
    'changed-here': t('you changed it too'),
    exists: t('there is another file of that name'),
    gone: t('you deleted it'),
    link: t('a symbolic link'),
    submodule: t('a submodule'),
    'too-large': t('too large for the editor'),
    unsafe: t('not a file of this work tree'),
  }
  return `${plainLine(path)}: ${reasons[reason]}`
}

/** Tells what cannot be applied. @returns whether the rest shall be */
async function goesOnWithout({ steps, obstacles }: Plan, jobId: JobId): Promise<boolean> {
  const lines = obstacles.slice(0, 20).map(reasonText)
  const more = obstacles.length > lines.length ? [t('and {0} more', obstacles.length - lines.length)] : []
  const rest = t('Apply the Rest')
  const branch = t('Check Out as Branch…')
  const picked = await vscode.window.showWarningMessage(
    obstacles.length === 1 ? t('One file cannot be applied here.') : t('{0} files cannot be applied here.', obstacles.length),
    { modal: true, detail: [...lines, ...more].join('\n') },
    ...(steps.length > 0 ? [rest, branch] : [branch]),
  )
  if (picked === branch) await vscode.commands.executeCommand('skein.jobs.checkout', { jobId })
  return picked === rest
}

async function checkOut({ job, git, commit }: JobChanges): Promise<void> {
  const slug = job.title
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replaceAll(/^-+|-+$/g, '')
  const name = await vscode.window.showInputBox({
    title: t('Check Out as Branch'),
    prompt: t('A new branch with the result of the job.'),
    value: `skein/${slug || job.id}`,
    ignoreFocusOut: true,
    validateInput: async text => {
      const isName = await git.run('check-ref-format', '--branch', text).then(
        () => true,
        () => false,
      )
      return isName ? undefined : t('Git takes no such name for a branch.')
    },
  })
  if (name === undefined) return
  await git.run('update-ref', '--', `refs/heads/${name}`, commit, '0'.repeat(commit.length)).catch(cause => {
    throw cause instanceof GitError ? new Error(t('There is a branch {0} already, or one in its way.', name), { cause }) : cause
  })
  try {
    await git.act('switch', '--quiet', name)
  } catch (error) {
    inform(t('Branch {0} is made. It was not checked out: {1}', name, error instanceof Error ? error.message : String(error)))
    return
  }
  inform(t('Branch {0} is checked out.', name))
}
