import * as vscode from 'vscode'
import { BackendError, sentence } from '../backend/failure.ts'
import type { CommandId } from '../manifest/commands.ts'
import { plainNotice } from '../rows/plain.ts'
import { t } from './texts.ts'

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
  void choose(vscode.window.showInformationMessage(plainNotice(text), ...actions.map(({ title }) => title)), actions)
}

/** Asks before something that cannot be taken back. @returns whether the person said yes */
export async function confirm(text: string, detail: string, yes: string): Promise<boolean> {
  return (await vscode.window.showWarningMessage(plainNotice(text), { modal: true, detail }, yes)) === yes
}

const isAbort = (error: unknown): boolean => error instanceof Error && (error.name === 'AbortError' || error.name === 'Canceled')

/** Tells what failed, why, and what to do. An abort is not a failure. */
export function complain(what: string, error: unknown): void {
  if (isAbort(error)) return
  const isAway = error instanceof BackendError && error.problem.code === 'not_ready'
  const actions: Action[] = isAway
    ? [
        { title: t('Reconnect'), command: 'skein.server.reconnect' },
        { title: t('Show Server Log'), command: 'skein.server.showLog' },
      ]
    : []
  const text = plainNotice(`${what}: ${sentence(error)}`)
  void choose(vscode.window.showErrorMessage(text, ...actions.map(({ title }) => title)), actions)
}
