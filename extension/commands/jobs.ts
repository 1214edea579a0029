import { randomUUID } from 'node:crypto'
import * as vscode from 'vscode'
import type { JobId, JobRequest } from '#shared/model/index.ts'
import type { Backend } from '../backend/backend.ts'
import type { Pages } from '../panels/pages.ts'
import type { JobList } from '../state/job-list.ts'
import { hasEnded } from '../state/job-states.ts'
import type { Jobs } from '../state/jobs.ts'
import type { Started } from '../state/started.ts'
import { inform } from '../ui/notice.ts'
import { t } from '../ui/texts.ts'
import { askForJob } from './job-argument.ts'
import { jobListCommands } from './job-list.ts'
import { askForFolder, jobRequest } from './job-request.ts'
import { answerQuestion } from './permissions.ts'

export interface JobCommandDeps {
  readonly backend: Backend
  readonly jobs: Jobs
  readonly list: JobList
  readonly started: Started
  readonly pages: Pages
}

/** Has the orchestrator take a job, once, whatever happens to the connection meanwhile. @throws {BackendError} */
export async function startJob(backend: Backend, started: Started, request: JobRequest): Promise<JobId> {
  const { jobId } = await backend.call('createJob', { body: request, headers: { 'idempotency-key': randomUUID() } })
  started.add(jobId)
  return jobId
}

export function jobCommands({ backend, jobs, list, started, pages }: JobCommandDeps) {
  return {
    async 'skein.jobs.new'() {
      const folder = await askForFolder()
      if (!folder) return void vscode.window.showWarningMessage(t('A job starts from a git repository: open its folder first.'))
      const task = await vscode.window.showInputBox({
        title: t('New Job in {0}', folder.name),
        prompt: t('An agent works on a copy of the repository, in a sandbox. You review what comes back.'),
        placeHolder: t('What is to be done?'),
        ignoreFocusOut: true,
      })
      if (task === undefined || task.trim() === '') return
      const jobId = await startJob(backend, started, jobRequest(task.trim(), folder))
      pages.open({ page: 'job', jobId, tab: 'log' })
    },
    async 'skein.jobs.open'(argument: unknown) {
      const jobId = await askForJob(argument, jobs, t('Open Job'), () => true)
      if (jobId) pages.open({ page: 'job', jobId })
    },
    async 'skein.jobs.openLog'(argument: unknown) {
      const jobId = await askForJob(argument, jobs, t('Open Log'), () => true)
      if (jobId) pages.open({ page: 'job', jobId, tab: 'log' })
    },
    'skein.jobs.openPage': () => pages.open({ page: 'jobs' }),
    async 'skein.jobs.cancel'(argument: unknown) {
      const id = await askForJob(argument, jobs, t('Cancel Job'), ({ summary }) => !hasEnded(summary.state))
      if (id) await backend.call('cancelJob', { params: { id } })
    },
    async 'skein.jobs.retry'(argument: unknown) {
      const id = await askForJob(argument, jobs, t('Retry Job'), ({ summary }) => hasEnded(summary.state))
      if (!id) return
      const { jobId } = await backend.call('retryJob', { params: { id }, headers: { 'idempotency-key': randomUUID() } })
      started.add(jobId)
    },
    async 'skein.jobs.answer'(argument: unknown) {
      const id = await askForJob(argument, jobs, t('Answer Permission Request'), ({ question }) => question !== null)
      if (!id) return
      const entry = jobs.get(id)
      if (entry?.question) await answerQuestion(backend, entry, entry.question)
      else inform(t('The job asks for nothing now.'))
    },
    async 'skein.jobs.copyId'(argument: unknown) {
      const id = await askForJob(argument, jobs, t('Copy Job ID'), () => true)
      if (id) await vscode.env.clipboard.writeText(id)
    },
    ...jobListCommands({ jobs, list }),
  }
}
