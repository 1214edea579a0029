import * as vscode from 'vscode'
import type { ModelInfo } from '#shared/model/index.ts'
import type { Backend } from '../backend/backend.ts'
import { sentence } from '../backend/failure.ts'
import { MODEL_VENDOR } from '../manifest/chat.ts'
import { plainLine } from '../rows/plain.ts'
import { t } from '../ui/texts.ts'
import { createCompletion, messagesOf, type Said } from './completion.ts'

/**
 * What the editor is told of every model: the orchestrator does not say how much fits. One that takes less refuses what is too long, and one
 * that takes more is given less.
 */
const TOKENS = { maxInputTokens: 32_768, maxOutputTokens: 8192 } as const
/** For code and English, characters. */
const TOKEN = 4

/** The models of the orchestrator, for the editor's own chat. */
export function registerModels(backend: Backend): vscode.Disposable {
  const changed = new vscode.EventEmitter<void>()
  const listening = backend.onState(({ state }) => {
    if (state !== 'starting') changed.fire()
  })
  const provider: vscode.LanguageModelChatProvider = {
    onDidChangeLanguageModelChatInformation: changed.event,
    async provideLanguageModelChatInformation({ silent }, token) {
      // Where nobody asked, nothing is waited for; the change of the state asks again.
      if (!vscode.workspace.isTrusted || (silent && backend.state.state !== 'ready')) return []
      return withSignal(token, async signal => {
        const { data } = await backend.call('listModels', undefined, { signal })
        // What this editor or another offers is in the picker there already.
        return data.filter(({ owned_by }) => owned_by !== 'editor').map(described)
      })
    },
    provideLanguageModelChatResponse: (model, messages, { tools = [], toolMode, modelOptions }, progress, token) =>
      withSignal(token, async signal => {
        const completion = createCompletion(part =>
          progress.report(
            part.kind === 'text'
              ? new vscode.LanguageModelTextPart(part.text)
              : new vscode.LanguageModelToolCallPart(part.id, part.name, part.input),
          ),
        )
        const abort = new AbortController()
        let failure: unknown = null
        const request = {
          ...modelOptions,
          model: model.id,
          messages: messages.flatMap(({ role, content }) =>
            messagesOf(role === vscode.LanguageModelChatMessageRole.Assistant ? 'assistant' : 'user', content.flatMap(saidOf)),
          ) as { role: string }[],
          stream: true,
          ...(tools.length === 0 ? {} : { tools: tools.map(toolOf), tool_choice: choiceOf(toolMode) }),
        }
        await backend
          .call(
            'chat',
            { body: request },
            {
              signal: AbortSignal.any([signal, abort.signal]),
              onPiece(base64) {
                try {
                  completion.take(Buffer.from(base64, 'base64'))
                } catch (error) {
                  failure ??= error
                  abort.abort()
                }
              },
            },
          )
          .catch(error => {
            throw failure ?? error
          })
        if (failure !== null) throw failure
        completion.end()
      }),
    async provideTokenCount(_, text) {
      const said = typeof text === 'string' ? text : JSON.stringify(text.content.flatMap(saidOf))
      return Math.ceil(said.length / TOKEN)
    },
  }
  return vscode.Disposable.from(changed, listening, vscode.lm.registerLanguageModelChatProvider(MODEL_VENDOR, provider))
}

function described({ id, owned_by }: ModelInfo): vscode.LanguageModelChatInformation {
  return {
    id,
    name: plainLine(id, 100),
    family: plainLine(owned_by, 100),
    version: '1',
    detail: plainLine(owned_by, 100),
    tooltip: t('{0}, by {1}, through Skein', plainLine(id, 100), plainLine(owned_by, 100)),
    ...TOKENS,
    capabilities: { toolCalling: true },
  }
}

const toolOf = ({ name, description, inputSchema }: vscode.LanguageModelChatTool) => ({
  type: 'function',
  function: { name, description, parameters: inputSchema ?? { type: 'object', properties: {} } },
})
const choiceOf = (mode: vscode.LanguageModelChatToolMode) =>
  mode === vscode.LanguageModelChatToolMode.Required ? 'required' : 'auto'

/** Pictures and what else an editor may have are left out: the models are not said to take them. */
function saidOf(part: unknown): Said[] {
  if (part instanceof vscode.LanguageModelTextPart) return [{ kind: 'text', text: part.value }]
  if (part instanceof vscode.LanguageModelToolCallPart)
    return [{ kind: 'call', id: part.callId, name: part.name, input: part.input }]
  if (!(part instanceof vscode.LanguageModelToolResultPart)) return []
  const text = part.content.map(inner => (inner instanceof vscode.LanguageModelTextPart ? inner.value : '')).join('')
  return [{ kind: 'answer', id: part.callId, text }]
}

async function withSignal<T>(token: vscode.CancellationToken, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController()
  const stopping = token.onCancellationRequested(() => abort.abort())
  try {
    return await run(abort.signal)
  } catch (error) {
    throw abort.signal.aborted ? new vscode.CancellationError() : new Error(sentence(error), { cause: error })
  } finally {
    stopping.dispose()
  }
}
