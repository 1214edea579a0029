import * as vscode from 'vscode'
import type { JobRequest } from '#shared/model/index.ts'
import { setting } from '../ui/settings.ts'
import { t } from '../ui/texts.ts'

/** The folder of files on disk that a job is to be about; asks where there are more. @returns undefined when there is none, or none was picked */
export async function askForFolder(): Promise<vscode.WorkspaceFolder | undefined> {
  const folders = (vscode.workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === 'file')
  if (folders.length < 2) return folders[0]
  const picked = await vscode.window.showQuickPick(
    folders.map(folder => ({ label: folder.name, description: folder.uri.fsPath, folder })),
    { placeHolder: t('Which repository?') },
  )
  return picked?.folder
}

/** A job by the settings of a folder. */
export function jobRequest(task: string, folder: vscode.WorkspaceFolder): JobRequest {
  const { uri } = folder
  const model = setting('skein.jobs.model', uri).trim()
  const check = setting('skein.jobs.check', uri).trim()
  return {
    task,
    agent: setting('skein.jobs.agent', uri).trim() || 'auto',
    repository: { path: uri.fsPath, include: setting('skein.jobs.include', uri) },
    permissions: setting('skein.jobs.permissions', uri),
    ...(model === '' ? {} : { model }),
    ...(check === '' ? {} : { checks: [['sh', '-c', check]] }),
  }
}
