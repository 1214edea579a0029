import { createConnection } from 'vscode-languageserver/node'
import { CliError, EXIT, type ExitCode } from '../exit-codes.ts'
import { serveEditor } from '../lsp/server.ts'
import type { World } from '../world.ts'

/** Answers an editor until it says `exit` or is gone; then this process ends. What it started goes on. */
export function lsp(world: World): Promise<ExitCode> {
  if (world.keyboard)
    throw new CliError(EXIT.usage, '`skein lsp` speaks JSON-RPC with an editor, which starts it by itself.', {
      remedy: 'In VS Code, install the extension; in another editor, name `skein lsp` as a language server for Markdown.',
    })
  const connection = createConnection(process.stdin, process.stdout)
  serveEditor(connection, world)
  connection.listen()
  // The connection ends the process, as the protocol wants it: with 0 after `shutdown`, else with 1.
  return new Promise(() => {})
}
