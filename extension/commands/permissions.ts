import * as vscode from 'vscode'
import type { Backend } from '../backend/backend.ts'
import { BackendError } from '../backend/failure.ts'
import { plainLabel, plainLine, plainNotice } from '../rows/plain.ts'
import type { JobEntry, Question } from '../state/job-entry.ts'
import type { Jobs } from '../state/jobs.ts'
import { complain, inform } from '../ui/notice.ts'
import { setting } from '../ui/settings.ts'
import { t } from '../ui/texts.ts'

/** What each kind of answer is called: an agent's own word for "yes, always" could say anything. */
function kindName(kind: Question['options'][number]['kind']): string {
  switch (kind) {
    case 'allow_once':
      return t('Allow')
    case 'allow_always':
      return t('Always Allow')
    case 'reject_once':
      return t('Reject')
    case 'reject_always':
      return t('Always Reject')
  }
}

/** Buttons, by the kind of each option; where two are of a kind the agent's own words tell them apart. */
function buttonsOf({ options }: Question): Map<string, string> {
  const counts = Map.groupBy(options, ({ kind }) => kind)
  const buttons = new Map<string, string>()
  for (const { id, name, kind } of options) {
    const title = counts.get(kind)?.length === 1 ? kindName(kind) : `${kindName(kind)}: ${plainLabel(name, 40)}`
    if (!buttons.has(title)) buttons.set(title, id)
  }
  return buttons
}

async function send(backend: Backend, jobId: string, requestId: string, optionId: string): Promise<void> {
  try {
    await backend.call('answerPermission', { params: { id: jobId, requestId }, body: { optionId } })
  } catch (error) {
    // Another window, a page or a timeout was faster: the job goes on either way.
    if (error instanceof BackendError && error.problem.code === 'already_answered')
      return inform(t('The permission request was answered already.'))
    throw error
  }
}

/** Lets the person choose one of the answers. @throws {BackendError} */
export async function answerQuestion(backend: Backend, { summary }: JobEntry, question: Question): Promise<void> {
  const items = [...buttonsOf(question)].map(([label, id]) => ({ label, id }))
  const picked = await vscode.window.showQuickPick(items, {
    title: plainLine(question.title),
    placeHolder: plainLine(question.detail, 300),
    ignoreFocusOut: true,
  })
  if (picked) await send(backend, summary.id, question.requestId, picked.id)
}

/** Shows what agents ask as notifications, each once and as long as it is open. */
export function askPermissions(backend: Backend, jobs: Jobs): vscode.Disposable | { dispose(): void } {
  return jobs.onQuestion(({ summary, question }) => {
    if (!question || setting('skein.notifications') === 'none' || !vscode.workspace.isTrusted) return
    const buttons = buttonsOf(question)
    const text = plainNotice(t('{0} asks: {1} — {2}', summary.title, question.title, question.detail))
    vscode.window.showWarningMessage(text, ...buttons.keys()).then(async title => {
      const optionId = title === undefined ? undefined : buttons.get(title)
      if (optionId === undefined) return
      try {
        await send(backend, summary.id, question.requestId, optionId)
      } catch (error) {
        complain(t('The answer did not arrive'), error)
      }
    })
  })
}
