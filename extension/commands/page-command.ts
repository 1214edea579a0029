import * as vscode from 'vscode'
import type { PageCommand, Route } from '#shared/webview/index.ts'
import type { CommandId } from '../manifest/commands.ts'
import { openFileOf } from '../panels/open-file.ts'
import { complain } from '../ui/notice.ts'
import { t } from '../ui/texts.ts'

function run(command: CommandId, argument?: unknown): void {
  void vscode.commands.executeCommand(command, argument)
}

/** Does what a person asked for on a page, the way the palette does. */
export function runPageCommand(command: PageCommand): void {
  switch (command.name) {
    case 'open':
      open(command.route)
      break
    case 'openFile':
      openFileOf(command.repository, command.path, command.line).catch(error => complain(t('The file was not opened'), error))
      break
    case 'showServerLog':
      run('skein.server.showLog')
      break
    case 'review':
    case 'apply':
    case 'discard':
      run(`skein.jobs.${command.name}`, { jobId: command.jobId })
      break
    case 'checkOut':
      run('skein.jobs.checkout', { jobId: command.jobId })
      break
  }
}

function open(route: Route): void {
  switch (route.page) {
    case 'jobs':
    case 'run':
      run('skein.jobs.openPage')
      break
    case 'fleet':
      run('skein.peers.openPage')
      break
    case 'job':
      run(route.tab === 'log' ? 'skein.jobs.openLog' : 'skein.jobs.open', { jobId: route.jobId })
      break
  }
}
