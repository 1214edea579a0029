import * as vscode from 'vscode'
import type { ServerState } from '#shared/contract/index.ts'
import { plainMarkdown } from '../rows/plain.ts'
import type { Changes } from '../state/changes.ts'
import type { Jobs } from '../state/jobs.ts'
import { t } from './texts.ts'

export interface StatusBarDeps {
  readonly jobs: Jobs
  readonly changes: Changes
  readonly state: () => ServerState
  readonly onState: (listener: (state: ServerState) => void) => vscode.Disposable | { dispose(): void }
}

/** How the orchestrator stands and how many jobs run, in the status bar. */
export function createStatusBar({ jobs, changes, state, onState }: StatusBarDeps): vscode.Disposable {
  const item = vscode.window.createStatusBarItem('skein.status', vscode.StatusBarAlignment.Left, 0)
  item.name = 'Skein'
  item.command = 'skein.server.menu'

  function draw(): void {
    const server = state()
    const active = jobs.inGroup('active').length
    const questions = jobs.inGroup('active').filter(({ question }) => question !== null).length
    item.backgroundColor = server.state === 'lost' ? new vscode.ThemeColor('statusBarItem.warningBackground') : undefined
    item.text = textOf(server, active, questions)
    item.tooltip = new vscode.MarkdownString(tooltipOf(server, active))
    item.accessibilityInformation = { label: t('Skein: {0}', tooltipOf(server, active)), role: 'button' }
  }
  draw()
  item.show()
  const listening = [changes.listen(draw), onState(draw)]
  return new vscode.Disposable(() => {
    for (const listener of listening) listener.dispose()
    item.dispose()
  })
}

function textOf(server: ServerState, active: number, questions: number): string {
  if (server.state === 'lost') return '$(warning) Skein'
  if (server.state === 'starting') return '$(loading~spin) Skein'
  if (questions > 0) return `$(question) Skein ${questions}`
  return active > 0 ? `$(sync~spin) Skein ${active}` : '$(check) Skein'
}

function tooltipOf(server: ServerState, active: number): string {
  switch (server.state) {
    case 'lost':
      return t('The orchestrator cannot be reached. {0} {1}', plainMarkdown(server.reason), plainMarkdown(server.remedy ?? ''))
    case 'starting':
      return server.reason === null ? t('Looking for the orchestrator') : plainMarkdown(server.reason)
    case 'ready': {
      const where = t(
        '{0}, version {1}, at {2}',
        plainMarkdown(server.node),
        plainMarkdown(server.version),
        plainMarkdown(server.url),
      )
      return active === 0 ? where : `${where}  \n${t('{0} jobs run', active)}`
    }
  }
}
