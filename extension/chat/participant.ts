import * as vscode from 'vscode'
import type { SpecTaskArgument } from '#shared/contract/lsp.ts'
import type { JobId } from '#shared/model/index.ts'
import type { Backend } from '../backend/backend.ts'
import { BackendError, sentence } from '../backend/failure.ts'
import { askForFolder, jobRequest } from '../commands/job-request.ts'
import { startJob } from '../commands/jobs.ts'
import { CHAT_COMMANDS, type ChatCommand, PARTICIPANT } from '../manifest/chat.ts'
import type { CommandId } from '../manifest/commands.ts'
import { plainLine, plainMarkdown } from '../rows/plain.ts'
import type { Started } from '../state/started.ts'
import { t } from '../ui/texts.ts'
import { titleOf } from '../ui/titles.ts'
import { featureAnswer, featuresAnswer, fitsWords, jobAnswer, jobsAnswer, peersAnswer, taskAnswer } from './answers.ts'
import { findFeature, specArgument, statusArgument } from './arguments.ts'
import { foldersOnDisk, likelyFolder } from './folder.ts'
import { followJob } from './follow.ts'
import { type About, followupsOf } from './followups.ts'
import { createStory, type Saying } from './story.ts'
import { type Given, taskOf } from './task.ts'

export interface ParticipantDeps {
  readonly backend: Backend
  readonly started: Started
  readonly extensionUri: vscode.Uri
}
/** One request of the chat. */
interface Turn {
  readonly request: vscode.ChatRequest
  readonly stream: vscode.ChatResponseStream
  readonly signal: AbortSignal
}
type Answer = (turn: Turn) => Promise<About | undefined>

/** Most jobs with a button of their own under an answer. */
const MOST_BUTTONS = 5

/** `@skein` in the chat: a request becomes a job, a command is answered from the orchestrator. */
export function createParticipant(deps: ParticipantDeps): vscode.Disposable {
  const { backend } = deps
  const commands: Readonly<Record<ChatCommand, Answer>> = {
    status: turn => answerStatus(backend, turn),
    spec: turn => answerSpec(backend, turn),
    peers: turn => answerPeers(backend, turn),
  }
  const participant = vscode.chat.createChatParticipant(PARTICIPANT, async (request, _, stream, token) => {
    const abort = new AbortController()
    const stopping = token.onCancellationRequested(() => abort.abort())
    const turn = { request, stream, signal: abort.signal }
    const { command } = request
    try {
      const about = await (command !== undefined && isCommand(command) ? commands[command](turn) : runJob(deps, turn))
      return about ? { metadata: about } : {}
    } catch (error) {
      if (abort.signal.aborted) return {}
      return { errorDetails: { message: plainMarkdown(sentence(error)) } }
    } finally {
      stopping.dispose()
    }
  })
  participant.iconPath = vscode.Uri.joinPath(deps.extensionUri, 'media', 'skein.svg')
  participant.followupProvider = {
    provideFollowups: ({ metadata }) => followupsOf(metadata as About | undefined, t).map(followup => ({ ...followup })),
  }
  return participant
}

const isCommand = (command: string): command is ChatCommand => Object.hasOwn(CHAT_COMMANDS, command)

function button(stream: vscode.ChatResponseStream, command: CommandId, jobId: JobId, title: string = titleOf(command)): void {
  stream.button({ title, command, arguments: [{ jobId }] })
}
/** What Markdown there is in it is ours; commands in links are not obeyed in any case. */
function say(stream: vscode.ChatResponseStream, markdown: string): void {
  stream.markdown(new vscode.MarkdownString(markdown))
}

async function runJob({ backend, started }: ParticipantDeps, { request, stream, signal }: Turn): Promise<About | undefined> {
  if (!vscode.workspace.isTrusted) {
    say(stream, t('This workspace is not trusted: jobs can be looked at, and none is started here.'))
    stream.button({ title: t('Manage Workspace Trust'), command: 'workbench.trust.manage' })
    return undefined
  }
  if (request.prompt.trim() === '') {
    say(stream, t('Say what is to be done. `/status`, `/spec` and `/peers` tell how things are.'))
    return undefined
  }
  const files = request.references.flatMap(({ value }) => fileOf(value)?.uri ?? [])
  const folder = likelyFolder(files) ?? (await askForFolder())
  if (!folder) {
    say(stream, t('A job starts from a git repository: open its folder first.'))
    return undefined
  }
  const task = taskOf(request.prompt, request.references.flatMap(givenOf), folder.uri.fsPath)
  for (const path of task.outside)
    say(stream, `\n\n${t('{0} is not in {1}: the agent does not see it.', plainMarkdown(path), plainMarkdown(folder.name))}\n\n`)
  const jobId = await startJob(backend, started, jobRequest(task.text, folder))
  say(stream, t('An agent works on a copy of **{0}**. Your files stay as they are.', plainMarkdown(folder.name)))
  button(stream, 'skein.jobs.open', jobId)
  button(stream, 'skein.jobs.cancel', jobId)

  const story = createStory(t)
  const show = (saying: Saying) => {
    if (saying.kind === 'progress') stream.progress(saying.text)
    else if (saying.kind === 'text') say(stream, saying.text)
    else button(stream, COMMAND_OF[saying.action], jobId)
  }
  const watching = backend.onState(({ state }) => {
    if (state === 'lost') stream.progress(t('The orchestrator cannot be reached. The job goes on where it runs.'))
  })
  try {
    await followJob(backend, jobId, ({ body }) => story.tell(body).forEach(show), signal)
  } finally {
    watching.dispose()
  }
  return { about: 'job', outcome: story.outcome, prompt: request.prompt }
}

const COMMAND_OF = {
  answer: 'skein.jobs.answer',
  review: 'skein.jobs.review',
  retry: 'skein.jobs.retry',
} as const satisfies Readonly<Record<Extract<Saying, { kind: 'button' }>['action'], CommandId>>

function fileOf(value: unknown): { readonly uri: vscode.Uri; readonly range: vscode.Range | null } | null {
  if (value instanceof vscode.Uri) return { uri: value, range: null }
  return value instanceof vscode.Location ? { uri: value.uri, range: value.range } : null
}

function givenOf({ id, modelDescription, value }: vscode.ChatPromptReference): Given[] {
  const file = fileOf(value)
  if (file?.uri.scheme === 'file') {
    const { uri, range } = file
    return [{ kind: 'file', path: uri.fsPath, lines: range === null ? null : [range.start.line, range.end.line] }]
  }
  return typeof value === 'string' ? [{ kind: 'text', name: modelDescription ?? id, text: value }] : []
}

async function answerStatus(backend: Backend, { request, stream, signal }: Turn): Promise<About> {
  const argument = statusArgument(request.prompt)
  if ('jobId' in argument) {
    const job = await backend.call('getJob', { params: { id: argument.jobId } }, { signal })
    say(stream, jobAnswer(job, Date.now(), t))
    button(stream, 'skein.jobs.open', job.id)
    return { about: 'jobs' }
  }
  const { items } = await backend.call('listJobs', { query: { limit: 200 } }, { signal })
  const jobs = items.filter(job => fitsWords(job, argument.words))
  say(stream, jobsAnswer(jobs, argument.words, Date.now(), t))
  for (const { id, title } of jobs.slice(0, MOST_BUTTONS)) button(stream, 'skein.jobs.open', id, plainLine(title, 60) || id)
  return { about: 'jobs' }
}

async function answerSpec(backend: Backend, { request, stream, signal }: Turn): Promise<About | undefined> {
  const folder = likelyFolder() ?? foldersOnDisk()[0]
  if (!folder) {
    say(stream, t('Spec Kit documents are files in a folder: open it first.'))
    return undefined
  }
  const repository = folder.uri.fsPath
  const wanted = specArgument(request.prompt)
  const { items } = await backend.call('listSpecs', { query: { repository } }, { signal })
  const named = findFeature(items, wanted.feature)
  if (!named || (wanted.feature === null && wanted.task === null)) {
    if (wanted.feature !== null)
      say(stream, `${t('No feature, or more than one, is called {0}.', plainMarkdown(wanted.feature))}\n\n`)
    say(stream, featuresAnswer(items, t))
    return { about: 'features', features: items.map(({ feature }) => feature) }
  }
  const feature = await backend.call('getSpec', { params: { feature: named.feature }, query: { repository } }, { signal })
  const task = feature.tasks.find(({ id }) => id === wanted.task)
  if (!task) {
    if (wanted.task !== null) say(stream, `${t('{0} has no task {1}.', plainMarkdown(feature.feature), wanted.task)}\n\n`)
    say(stream, featureAnswer(feature, t))
    for (const { path } of feature.documents.slice(0, MOST_BUTTONS)) stream.reference(vscode.Uri.joinPath(folder.uri, path))
    const open = feature.tasks.filter(({ isDone }) => !isDone).map(({ id }) => id)
    return { about: 'feature', feature: feature.feature, open }
  }
  say(stream, taskAnswer(task, t))
  stream.anchor(new vscode.Location(vscode.Uri.joinPath(folder.uri, task.path), new vscode.Position(task.line, 0)), task.id)
  if (task.job) button(stream, 'skein.jobs.open', task.job.jobId)
  if (!task.isDone && vscode.workspace.isTrusted) {
    const document = vscode.Uri.joinPath(folder.uri, task.path).toString()
    const { id, title, job } = task
    const argument: SpecTaskArgument = {
      repository,
      document,
      feature: feature.feature,
      task: id,
      title,
      jobId: job?.jobId ?? null,
    }
    const command = 'skein.specs.runTask' satisfies CommandId
    stream.button({ title: titleOf(command), command, arguments: [argument] })
  }
  return { about: 'task', feature: feature.feature, task: task.id, isDone: task.isDone }
}

async function answerPeers(backend: Backend, { stream, signal }: Turn): Promise<About> {
  const [{ items }, drain] = await Promise.all([
    backend.call('listPeers', undefined, { signal }),
    backend.call('drainStatus', undefined, { signal }).catch(error => {
      if (error instanceof BackendError) return null
      throw error
    }),
  ])
  const { state } = backend
  say(stream, peersAnswer(state.state === 'ready' ? { node: state.node, drain } : null, items, t))
  stream.button({ title: titleOf('skein.peers.openPage'), command: 'skein.peers.openPage' })
  return { about: 'peers' }
}
