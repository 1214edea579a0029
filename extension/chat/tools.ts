import * as vscode from 'vscode'
import type { Backend } from '../backend/backend.ts'
import { sentence } from '../backend/failure.ts'
import { jobRequest } from '../commands/job-request.ts'
import { startJob } from '../commands/jobs.ts'
import { TOOLS, type ToolInput, type ToolName } from '../manifest/tools.ts'
import { plainMarkdown, plainMarkdownText } from '../rows/plain.ts'
import { hasEnded } from '../state/job-states.ts'
import type { Started } from '../state/started.ts'
import { t } from '../ui/texts.ts'
import { foldersOnDisk, likelyFolder } from './folder.ts'
import { followJob } from './follow.ts'
import { wrongWith } from './input.ts'
import { featureFacts, featureListFacts, jobFacts, jobListFacts } from './tool-answers.ts'

export interface ToolDeps {
  readonly backend: Backend
  readonly started: Started
}

interface Tool<Input> {
  /** What the person is asked before, and what is shown meanwhile. */
  prepare(input: Input): { readonly title: string; readonly question: string; readonly meanwhile: string }
  /** @returns what the model is told @throws {Error} that it is told instead */
  run(input: Input, signal: AbortSignal): Promise<object>
}

/** Gives the tools to the language models of the editor. */
export function registerTools(deps: ToolDeps): vscode.Disposable {
  const tools: { readonly [Name in ToolName]: Tool<ToolInput<Name>> } = {
    skein_run_job: runJob(deps),
    skein_job_status: jobStatus(deps),
    skein_spec: readSpec(deps),
  }
  const names = Object.keys(tools) as ToolName[]
  return vscode.Disposable.from(...names.map(name => vscode.lm.registerTool(name, asTool(name, tools[name] as Tool<unknown>))))
}

function asTool(name: ToolName, tool: Tool<unknown>): vscode.LanguageModelTool<unknown> {
  const { inputSchema } = TOOLS[name]
  return {
    prepareInvocation({ input }) {
      // One that does not fit is not asked about: it is refused.
      if (wrongWith(inputSchema, input) !== null) return {}
      const { title, question, meanwhile } = tool.prepare(input)
      return {
        invocationMessage: new vscode.MarkdownString(meanwhile),
        confirmationMessages: { title, message: new vscode.MarkdownString(question) },
      }
    },
    async invoke({ input }, token) {
      const wrong = wrongWith(inputSchema, input)
      if (wrong !== null) throw new Error(wrong)
      const abort = new AbortController()
      const stopping = token.onCancellationRequested(() => abort.abort())
      try {
        return answer(await tool.run(input, abort.signal))
      } catch (error) {
        throw abort.signal.aborted ? new vscode.CancellationError() : new Error(sentence(error), { cause: error })
      } finally {
        stopping.dispose()
      }
    },
  }
}

const answer = (facts: object) => new vscode.LanguageModelToolResult([new vscode.LanguageModelTextPart(JSON.stringify(facts))])

/** @throws {Error} when there is none of that name, or more than one could be meant */
function folderNamed(name: string | undefined): vscode.WorkspaceFolder {
  const folders = foldersOnDisk()
  const found = name === undefined ? likelyFolder() : folders.find(folder => folder.name === name)
  if (found) return found
  if (folders.length === 0) throw new Error(t('No folder on disk is open.'))
  const names = folders.map(folder => folder.name).join(', ')
  throw new Error(t('Say which folder is meant: {0}.', names))
}

const runJob = ({ backend, started }: ToolDeps): Tool<ToolInput<'skein_run_job'>> => ({
  prepare: ({ task, folder }) => ({
    title: t('Run a job on the fleet?'),
    question: `${t('An agent will do this on a copy of {0}, in a sandbox:', `**${plainMarkdown(folder ?? likelyFolder()?.name ?? '')}**`)}\n\n${plainMarkdownText(task)}`,
    meanwhile: t('Starting a job'),
  }),
  async run({ task, folder }) {
    if (!vscode.workspace.isTrusted)
      throw new Error(t('This workspace is not trusted: jobs can be looked at, and none is started here.'))
    const jobId = await startJob(backend, started, jobRequest(task, folderNamed(folder)))
    return { jobId, next: 'Ask skein_job_status with this jobId and waitSeconds. The person reviews and applies the result.' }
  },
})

const jobStatus = ({ backend }: ToolDeps): Tool<ToolInput<'skein_job_status'>> => ({
  prepare: ({ jobId }) => ({
    title: t('Tell the model about jobs?'),
    question:
      jobId === undefined
        ? t('It learns titles and states of your newest jobs.')
        : t('It learns the title, the state and the result of job {0}.', plainMarkdown(jobId)),
    meanwhile: t('Asking about jobs'),
  }),
  async run({ jobId, waitSeconds = 0 }, signal) {
    if (jobId === undefined) {
      const { items } = await backend.call('listJobs', { query: { limit: 20 } }, { signal })
      return jobListFacts(items)
    }
    const ask = () => backend.call('getJob', { params: { id: jobId } }, { signal })
    const job = await ask()
    if (waitSeconds === 0 || hasEnded(job.state)) return jobFacts(job)
    await followJob(backend, jobId, () => {}, AbortSignal.any([signal, AbortSignal.timeout(waitSeconds * 1000)]))
    return jobFacts(await ask())
  },
})

const readSpec = ({ backend }: ToolDeps): Tool<ToolInput<'skein_spec'>> => ({
  prepare: ({ feature }) => ({
    title: t('Tell the model about specs?'),
    question:
      feature === undefined
        ? t('It learns the names and the progress of the features in specs/.')
        : t('It learns requirements and tasks of {0}.', plainMarkdown(feature)),
    meanwhile: t('Reading specs'),
  }),
  async run({ feature, folder }, signal) {
    const repository = folderNamed(folder).uri.fsPath
    if (feature === undefined) {
      const { items } = await backend.call('listSpecs', { query: { repository } }, { signal })
      return featureListFacts(items)
    }
    return featureFacts(await backend.call('getSpec', { params: { feature }, query: { repository } }, { signal }))
  },
})
