import * as vscode from 'vscode'
import { createGit } from './git.ts'

const SCHEME = 'skein-result'

/** Where a file content of a repository can be read in the editor. @param path for its name and language */
export const blobUri = (repository: string, path: string, id: string): vscode.Uri =>
  vscode.Uri.from({ scheme: SCHEME, path: `/${path}`, query: new URLSearchParams({ repository, id }).toString() })

/** Contents that git has, as files that can be read: text and pictures alike. */
export function registerBlobs(): vscode.Disposable {
  const changed = new vscode.EventEmitter<vscode.FileChangeEvent[]>()
  const refuse = (): never => {
    throw vscode.FileSystemError.NoPermissions('What a job left cannot be written')
  }
  async function read(uri: vscode.Uri): Promise<Buffer> {
    const query = new URLSearchParams(uri.query)
    const [repository, id] = [query.get('repository'), query.get('id')]
    if (!repository || !id || !/^[0-9a-f]{40,64}$/.test(id)) throw vscode.FileSystemError.FileNotFound(uri)
    const content = (
      await createGit(repository)
        .blobs([id])
        .catch(() => null)
    )?.get(id)
    if (!content) throw vscode.FileSystemError.FileNotFound(uri)
    return content
  }
  const provider: vscode.FileSystemProvider = {
    onDidChangeFile: changed.event,
    watch: () => new vscode.Disposable(() => {}),
    async stat(uri) {
      return { type: vscode.FileType.File, ctime: 0, mtime: 0, size: (await read(uri)).length }
    },
    readFile: read,
    readDirectory: () => [],
    createDirectory: refuse,
    writeFile: refuse,
    delete: refuse,
    rename: refuse,
  }
  return vscode.Disposable.from(changed, vscode.workspace.registerFileSystemProvider(SCHEME, provider, { isReadonly: true }))
}
