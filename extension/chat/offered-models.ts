import * as vscode from 'vscode'
import type { ModelPart, ModelQuestion } from '#shared/model/index.ts'
import type { Backend } from '../backend/backend.ts'
import { MODEL_VENDOR } from '../manifest/chat.ts'
import { onSetting, setting } from '../ui/settings.ts'
import { t } from '../ui/texts.ts'
import { type Answering, type Asked, createAnswering } from './answering.ts'

/** What the API takes as the name of a model, and how many of them. */
const NAME = /^[\x21-\x7e]{1,200}$/
const MOST = 200

export interface OfferDeps {
  readonly backend: Backend
  /** Whether this extension may use a model, as far as the editor knows without asking. */
  readonly access: vscode.LanguageModelAccessInformation
  warn(text: string): void
}

interface Offer {
  readonly names: string
  /** Ends it; what is under way is ended too, or else answered first. */
  end(how: 'at once' | 'when idle'): void
}

/**
 * Offers the models of this editor to the orchestrator of this machine, while the person wants it: a setting says so, and the editor itself asks
 * before a model is used the first time. The orchestrator's own models are not offered back to it.
 */
export function offerModels(deps: OfferDeps): vscode.Disposable {
  const { backend, access, warn } = deps
  let current: Offer | null = null
  let turn = Promise.resolve()

  async function look(): Promise<void> {
    const names = isWanted(backend) ? await modelNames(access) : []
    const key = names.join('\n')
    if (key === (current?.names ?? '')) return
    current?.end(names.length === 0 ? 'at once' : 'when idle')
    current = names.length === 0 ? null : offer(deps, names, key)
  }
  const lookAgain = () => {
    turn = turn.then(look).catch(error => warn(`The models of the editor could not be listed: ${error}`))
  }
  lookAgain()
  return vscode.Disposable.from(
    onSetting(['skein.models.offer'], lookAgain),
    backend.onState(lookAgain),
    vscode.workspace.onDidGrantWorkspaceTrust(lookAgain),
    vscode.lm.onDidChangeChatModels(lookAgain),
    access.onDidChange(lookAgain),
    new vscode.Disposable(() => current?.end('at once')),
  )
}

/** Not in a workspace that is looked at only, and not to another machine: its jobs would use the account of the person here. */
function isWanted({ state }: Backend): boolean {
  return setting('skein.models.offer') && vscode.workspace.isTrusted && state.state === 'ready' && state.isLocal
}

const nameOf = ({ vendor, id }: vscode.LanguageModelChat) => `${vendor}/${id}`

async function modelNames(access: vscode.LanguageModelAccessInformation): Promise<string[]> {
  const models = await vscode.lm.selectChatModels()
  const usable = models.filter(model => model.vendor !== MODEL_VENDOR && access.canSendRequest(model) !== false)
  return [...new Set(usable.map(nameOf))].filter(name => NAME.test(name)).slice(0, MOST)
}

function offer({ backend, warn }: OfferDeps, names: string[], key: string): Offer {
  let isEnding = false
  const finish = () => {
    if (isEnding) following.dispose()
  }
  const answering: Answering = createAnswering({ backend, ask, idle: finish })
  const following = backend.follow({ name: 'models', models: names }, undefined, ({ item }) => {
    if (item.type === 'modelQuestion') answering.take(item.question)
    if (item.type === 'error') warn(`Models of the editor are not offered any more: ${item.problem.detail}`)
  })
  return {
    names: key,
    end(how) {
      isEnding = true
      if (how === 'at once') answering.dispose()
      if (how === 'at once' || answering.isIdle) following.dispose()
    },
  }
}

/** @throws {Error} when the model is not there any more, or the person or its provider refuses */
async function ask(question: ModelQuestion, signal: AbortSignal): Promise<Asked> {
  const [vendor = ''] = question.model.split('/', 1)
  const model = (await vscode.lm.selectChatModels({ vendor })).find(found => nameOf(found) === question.model)
  if (!model) throw new Error(t('The editor has no model {0} any more.', question.model))
  const stopping = new vscode.CancellationTokenSource()
  signal.addEventListener('abort', () => stopping.cancel())
  if (signal.aborted) stopping.cancel()
  const messages = question.messages.map(messageOf)
  const response = await model.sendRequest(
    messages,
    {
      justification: t('A job of yours asks this model: you offer it by the setting skein.models.offer.'),
      modelOptions: question.options,
      ...(question.tools.length === 0
        ? {}
        : {
            tools: question.tools,
            toolMode: question.mustUseTool ? vscode.LanguageModelChatToolMode.Required : vscode.LanguageModelChatToolMode.Auto,
          }),
    },
    stopping.token,
  )
  let said = ''
  async function* parts(): AsyncGenerator<ModelPart> {
    for await (const part of response.stream) {
      const known = partOf(part)
      if (!known) continue
      said += known.kind === 'text' ? known.text : JSON.stringify(known.input)
      yield known
    }
  }
  return {
    parts: parts(),
    async usage() {
      const asked = question.messages.flatMap(message =>
        message.parts.map(part => ('text' in part ? part.text : JSON.stringify(part.input))),
      )
      try {
        const [inputTokens, outputTokens] = await Promise.all([model.countTokens(asked.join('\n')), model.countTokens(said)])
        return { inputTokens, outputTokens }
      } catch {
        return null
      } finally {
        stopping.dispose()
      }
    },
  }
}

/** What else an editor's model may give (thoughts, data) is not in the format that jobs speak. */
function partOf(part: unknown): ModelPart | null {
  if (part instanceof vscode.LanguageModelTextPart) return { kind: 'text', text: part.value }
  if (!(part instanceof vscode.LanguageModelToolCallPart)) return null
  return { kind: 'call', id: part.callId, name: part.name, input: { ...part.input } }
}

function messageOf({ role, parts }: ModelQuestion['messages'][number]): vscode.LanguageModelChatMessage {
  const content = parts.map(part => {
    if (part.kind === 'text') return new vscode.LanguageModelTextPart(part.text)
    if (part.kind === 'call') return new vscode.LanguageModelToolCallPart(part.id, part.name, part.input)
    return new vscode.LanguageModelToolResultPart(part.id, [new vscode.LanguageModelTextPart(part.text)])
  })
  const kind = role === 'assistant' ? vscode.LanguageModelChatMessageRole.Assistant : vscode.LanguageModelChatMessageRole.User
  return new vscode.LanguageModelChatMessage(kind, content as ConstructorParameters<typeof vscode.LanguageModelChatMessage>[1])
}
