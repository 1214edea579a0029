import * as vscode from 'vscode'
import type { JobId } from '#shared/model/index.ts'
import { jobDescription } from '../rows/job-row.ts'
import { plainLabel } from '../rows/plain.ts'
import type { JobEntry } from '../state/job-entry.ts'
import { GROUPS } from '../state/job-states.ts'
import type { Jobs } from '../state/jobs.ts'
import { t } from '../ui/texts.ts'

const AT_END = /(?:^|\/)([0-9a-z]{14})$/

/** The job that a row, a link or another extension names; null when it names none. */
function jobIdOf(argument: unknown): JobId | null {
  const text = typeof argument === 'object' && argument !== null && 'jobId' in argument ? argument.jobId : argument
  return typeof text === 'string' ? (AT_END.exec(text)?.[1] ?? null) : null
}

/** The job a command is for: the one it was given, else one that the person picks. @returns undefined when the person thought better of it */
export async function askForJob(
  argument: unknown,
  jobs: Jobs,
  title: string,
  fits: (entry: JobEntry) => boolean,
): Promise<JobId | undefined> {
  const named = jobIdOf(argument)
  if (named) return named
  const items = GROUPS.flatMap(group => jobs.inGroup(group))
    .filter(fits)
    .map(entry => ({
      label: plainLabel(entry.summary.title) || entry.summary.id,
      description: jobDescription(entry, { now: Date.now, t, handling: () => undefined }),
      id: entry.summary.id,
    }))
  const picked = await vscode.window.showQuickPick(items, { title, placeHolder: t('Which job?'), matchOnDescription: true })
  return picked?.id
}
