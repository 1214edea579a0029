import * as vscode from 'vscode'
import { COMMANDS, type CommandId } from '../manifest/commands.ts'
import { complain } from '../ui/notice.ts'
import { t } from '../ui/texts.ts'
import { titleOf } from '../ui/titles.ts'
import { type JobCommandDeps, jobCommands } from './jobs.ts'
import { type PeerCommandDeps, peerCommands } from './peers.ts'
import { type ResultCommandDeps, resultCommands } from './results.ts'
import { type ServerCommandDeps, serverCommands } from './server.ts'
import { type SpecCommandDeps, specCommands } from './specs.ts'

type Handler = (argument: unknown) => unknown

/** Every command of the manifest; one without a function does not compile. */
export function registerCommands(
  deps: JobCommandDeps & ResultCommandDeps & PeerCommandDeps & ServerCommandDeps & SpecCommandDeps,
): vscode.Disposable {
  const table: Readonly<Record<CommandId, Handler>> = {
    ...jobCommands(deps),
    ...resultCommands(deps),
    ...peerCommands(deps),
    ...serverCommands(deps),
    ...specCommands(deps),
  }
  return vscode.Disposable.from(
    ...Object.entries(table).map(([id, run]) =>
      vscode.commands.registerCommand(id, async (argument: unknown) => {
        try {
          if (needsTrust(id) && !vscode.workspace.isTrusted)
            throw new Error(t('This workspace is not trusted: nothing is run or written here.'))
          await run(argument)
        } catch (error) {
          complain(t('{0} failed', titleOf(id as CommandId).replace('…', '')), error)
        }
      }),
    ),
  )
}

/** A button or a link runs a command that the palette would not. */
const needsTrust = (id: string): boolean => 'needsTrust' in COMMANDS[id as CommandId]
