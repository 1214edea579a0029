import { lstat, readFile, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import * as vscode from 'vscode'
import type { Present } from './plan.ts'

/** What is at paths of a work tree now, as the editor has it: what is open and not saved counts. @param root absolute, links resolved */
export function presentIn(root: string): (path: string) => Promise<Present> {
  return async path => {
    const file = join(root, path)
    if (!(await isDirectly(root, dirname(file)))) return { kind: 'other' }
    const there = await lstat(file).catch(() => null)
    const open = vscode.workspace.textDocuments.find(({ uri }) => uri.scheme === 'file' && uri.fsPath === file)
    if (!there) return { kind: 'nothing' }
    if (!there.isFile()) return { kind: 'other' }
    return open ? { kind: 'text', text: open.getText() } : { kind: 'bytes', bytes: await readFile(file) }
  }
}

/** Whether a directory, as far as it is there, is reached from the root without a link. */
async function isDirectly(root: string, directory: string): Promise<boolean> {
  for (let at = directory; at.length >= root.length; at = dirname(at)) {
    const real = await realpath(at).catch(() => null)
    if (real !== null) return real === at
  }
  return false
}
