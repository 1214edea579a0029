import * as vscode from 'vscode'
import type { Backend } from '../backend/backend.ts'
import type { Tokens } from '../backend/tokens.ts'
import { WALKTHROUGH } from '../manifest/walkthrough.ts'
import type { TextDocuments } from '../ui/text-documents.ts'
import { t } from '../ui/texts.ts'

export interface ServerCommandDeps {
  readonly backend: Backend
  readonly log: vscode.LogOutputChannel
  readonly tokens: Tokens
  readonly texts: TextDocuments
}

export function serverCommands({ backend, log, tokens, texts }: ServerCommandDeps) {
  return {
    async 'skein.server.showLog'() {
      const { state } = backend
      const file = state.state === 'starting' ? null : state.logFile
      if (file === null) return log.show()
      const document = await vscode.workspace.openTextDocument(vscode.Uri.file(file))
      const end = new vscode.Position(document.lineCount, 0)
      await vscode.window.showTextDocument(document, { preview: true, selection: new vscode.Range(end, end) })
    },
    async 'skein.server.showChannel'() {
      log.show()
    },
    async 'skein.server.doctor'() {
      const location = vscode.ProgressLocation.Notification
      await vscode.window.withProgress(
        { location, title: t('Skein: looking at this machine'), cancellable: true },
        async (_, token) => {
          const abort = new AbortController()
          token.onCancellationRequested(() => abort.abort())
          const { text } = await backend.doctor(abort.signal)
          await texts.show(t('Skein Doctor'), text)
        },
      )
    },
    async 'skein.server.reconnect'() {
      await backend.reconnect()
    },
    async 'skein.server.setToken'() {
      const token = await vscode.window.showInputBox({
        title: t('Token of the Server'),
        prompt: t('For the address in the setting skein.server.address; kept in the editor’s secret storage. Empty: forget it.'),
        password: true,
        ignoreFocusOut: true,
      })
      if (token !== undefined) await tokens.set(token.trim())
    },
    async 'skein.server.menu'() {
      const item = (label: string, command: string) => ({ label, command })
      const picked = await vscode.window.showQuickPick(
        [
          ...(backend.state.state === 'ready' ? [item(`$(add) ${t('New Job…')}`, 'skein.jobs.new')] : []),
          item(`$(list-tree) ${t('Show Jobs')}`, 'skein.jobs.focus'),
          item(`$(output) ${t('Show Server Log')}`, 'skein.server.showLog'),
          item(`$(pulse) ${t('Doctor')}`, 'skein.server.doctor'),
          item(`$(debug-restart) ${t('Reconnect to the Server')}`, 'skein.server.reconnect'),
          item(`$(settings-gear) ${t('Settings')}`, 'skein.server.settings'),
        ],
        { title: 'Skein', placeHolder: standing(backend) },
      )
      if (picked) await vscode.commands.executeCommand(picked.command)
    },
    async 'skein.server.openWeb'() {
      const { state } = backend
      if (state.state === 'ready') await vscode.env.openExternal(vscode.Uri.parse(state.url))
    },
    async 'skein.server.walkthrough'() {
      await vscode.commands.executeCommand('workbench.action.openWalkthrough', `skein.skein#${WALKTHROUGH}`)
    },
    async 'skein.server.settings'() {
      await vscode.commands.executeCommand('workbench.action.openSettings', '@ext:skein.skein')
    },
  }
}

function standing({ state }: Backend): string {
  switch (state.state) {
    case 'ready':
      return t('{0}, version {1}, at {2}', state.node, state.version, state.url)
    case 'starting':
      return state.reason ?? t('Looking for the orchestrator')
    case 'lost':
      return state.remedy === null ? state.reason : `${state.reason} ${state.remedy}`
  }
}
