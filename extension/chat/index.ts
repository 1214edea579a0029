import * as vscode from 'vscode'
import { registerModels } from './models.ts'
import { type OfferDeps, offerModels } from './offered-models.ts'
import { createParticipant, type ParticipantDeps } from './participant.ts'
import { registerTools, type ToolDeps } from './tools.ts'

/** What Skein offers to the chat and to the language models of this editor, as far as it has a chat and language models. */
export function registerChat(deps: ParticipantDeps & ToolDeps & OfferDeps): vscode.Disposable {
  const { chat, lm }: { chat?: Partial<typeof vscode.chat>; lm?: Partial<typeof vscode.lm> } = vscode
  return vscode.Disposable.from(
    ...(chat?.createChatParticipant ? [createParticipant(deps)] : []),
    ...(lm?.registerTool ? [registerTools(deps)] : []),
    ...(lm?.registerLanguageModelChatProvider ? [registerModels(deps.backend)] : []),
    ...(lm?.selectChatModels ? [offerModels(deps)] : []),
  )
}
