/** The one door to the library; esbuild.mjs makes a file of its own of it. */
import { LanguageClient } from 'vscode-languageclient/node'

export { CloseAction, ErrorAction, State } from 'vscode-languageclient/node'

/** Failures go to the log: the status bar, the views and whoever called tell of them, and the library would once more. */
export class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false)
  }
}
