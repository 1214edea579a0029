import * as vscode from 'vscode'

/** Called by the editor when a view, a command, the chat or a folder with Spec Kit documents needs the extension. */
export function activate(context: vscode.ExtensionContext): void {
  context.subscriptions.push(vscode.window.createOutputChannel('Skein', { log: true }))
}
