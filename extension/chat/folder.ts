import * as vscode from 'vscode'

export const foldersOnDisk = (): readonly vscode.WorkspaceFolder[] =>
  (vscode.workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === 'file')

/** The folder on disk that holds the first of some files that lies in one. */
function holderOf(files: readonly vscode.Uri[]): vscode.WorkspaceFolder | undefined {
  for (const file of files) {
    const folder = vscode.workspace.getWorkspaceFolder(file)
    if (folder?.uri.scheme === 'file') return folder
  }
  return undefined
}

/**
 * The folder that is meant, without asking: the only one, else that of the files given, else that of the active editor.
 * @returns undefined when there is none, or more than one could be meant
 */
export function likelyFolder(files: readonly vscode.Uri[] = []): vscode.WorkspaceFolder | undefined {
  const folders = foldersOnDisk()
  if (folders.length < 2) return folders[0]
  const active = vscode.window.activeTextEditor?.document.uri
  return holderOf(files) ?? (active && holderOf([active]))
}
