import * as vscode from 'vscode'

const SCHEME = 'skein-text'

/** Texts to read, that no one can mistake for a file. */
export interface TextDocuments extends vscode.Disposable {
  show(title: string, text: string): Promise<void>
}

export function createTextDocuments(): TextDocuments {
  const texts = new Map<string, string>()
  const changed = new vscode.EventEmitter<vscode.Uri>()
  const provider = vscode.workspace.registerTextDocumentContentProvider(SCHEME, {
    onDidChange: changed.event,
    provideTextDocumentContent: uri => texts.get(uri.path) ?? '',
  })
  // What is closed is not asked for any more; a log or a patch may be large.
  const closing = vscode.workspace.onDidCloseTextDocument(({ uri }) => {
    if (uri.scheme === SCHEME) texts.delete(uri.path)
  })
  return {
    async show(title, text) {
      const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${title}` })
      texts.set(uri.path, text)
      changed.fire(uri)
      await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri), { preview: true })
    },
    dispose() {
      provider.dispose()
      closing.dispose()
      texts.clear()
      changed.dispose()
    },
  }
}
