import { realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import * as vscode from 'vscode'
import { t } from '../ui/texts.ts'

/** Opens a file that an agent named, if it lies in the repository, whatever links lead to. @throws {Error} when it does not */
export async function openFileOf(repository: string, path: string, line: number | null): Promise<void> {
  const root = await realpath(repository)
  const file = await realpath(join(root, path)).catch(() => null)
  if (file === null) throw new Error(t('There is no {0} in {1}.', path, repository))
  if (!file.startsWith(root + sep)) throw new Error(t('{0} is outside of {1}.', path, repository))
  const position = new vscode.Position(Math.max(0, line ?? 0), 0)
  await vscode.window.showTextDocument(vscode.Uri.file(file), { preview: true, selection: new vscode.Range(position, position) })
}
