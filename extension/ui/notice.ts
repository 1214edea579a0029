import * as vscode from 'vscode'
import { BackendError, sentence } from '../backend/failure.ts'
import type { CommandId } from '../manifest/commands.ts'

/** A button that runs a command. */
export interface Action {
  readonly title: string
  readonly command: CommandId
  readonly argument?: unknown
}

async function choose(shown: Thenable<string | undefined>, actions: readonly Action[]): Promise<void> {
  const title = await shown
  const action = actions.find(action => action.title === title)
  if (action) await vscode.commands.executeCommand(action.command, action.argument)
}

/** Tells of something that went well; does not wait until it is read. */
export function inform(text: string, ...actions: readonly Action[]): void {
  void choose(vscode.window.showInformationMessage(text, ...actions.map(({ title }) => title)), actions)
}

/** Tells what failed, why, and what to do. An abort is not a failure. */
export function complain(what: string, error: unknown): void {
  if (error instanceof Error && (error.name === 'AbortError' || error.name === 'Canceled')) return
  const isAway = error instanceof BackendError && error.problem.code === 'not_ready'
  const actions: Action[] = isAway
    ? [
        { title: vscode.l10n.t('Reconnect'), command: 'skein.server.reconnect' },
        { title: vscode.l10n.t('Show Server Log'), command: 'skein.server.showLog' },
      ]
    : []
  void choose(vscode.window.showErrorMessage(`${what}: ${sentence(error)}`, ...actions.map(({ title }) => title)), actions)
}
