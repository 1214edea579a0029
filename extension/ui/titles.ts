import * as vscode from 'vscode'
import { COMMANDS, type CommandId } from '../manifest/commands.ts'

interface ShippedCommand {
  readonly command: string
  /** The editor keeps the original beside a translation. */
  readonly title: string | { readonly value: string }
}

/** A command's title in the language of the editor, which has put it into the manifest that it read. */
export function titleOf(id: CommandId): string {
  const manifest = vscode.extensions.getExtension('skein.skein')?.packageJSON as
    | { contributes?: { commands?: readonly ShippedCommand[] } }
    | undefined
  const title = manifest?.contributes?.commands?.find(({ command }) => command === id)?.title
  return typeof title === 'object' ? title.value : (title ?? COMMANDS[id].title)
}
