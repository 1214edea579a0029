import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import {
  createProtocolConnection,
  DidChangeTextDocumentNotification,
  DidOpenTextDocumentNotification,
  PublishDiagnosticsNotification,
} from 'vscode-languageserver/node'
import { LSP_REQUESTS } from '#shared/contract/index.ts'
import { defineBench, type SideContext } from './bench.ts'
import { longTasks, SPEC } from './long-tasks.ts'
import { estimateMedian } from './statistics.ts'
import { spin } from './workload.ts'

const PROGRAM = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
const KEYS = 100
const WARM = 20

/** Milliseconds from a key to what `answered` waits for, in a real process with a tasks.md of ten thousand lines open. */
async function typed(
  { directory, defer }: SideContext,
  answered: (next: Promise<void>, ask: () => Promise<unknown>) => Promise<unknown>,
  extraMs = 0,
): Promise<number> {
  const folder = join(directory, 'specs', '001-long')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'spec.md'), SPEC)
  const child = spawn(process.execPath, [PROGRAM, 'lsp'], {
    env: { PATH: process.env.PATH, HOME: directory, SKEIN_DATA_DIR: join(directory, 'data') },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const gone = once(child, 'exit')
  defer(async () => {
    child.kill()
    await gone
  })
  const connection = createProtocolConnection(child.stdout, child.stdin)
  const uri = pathToFileURL(join(folder, 'tasks.md')).href
  let told = () => {}
  const next = () =>
    new Promise<void>(resolve => {
      told = resolve
    })
  connection.onNotification(PublishDiagnosticsNotification.type, published => {
    if (published.uri === uri) told()
  })
  connection.listen()
  await connection.sendRequest('initialize', {
    ...{ processId: process.pid, rootUri: null, capabilities: {} },
    workspaceFolders: [{ uri: pathToFileURL(directory).href, name: 'bench' }],
    initializationOptions: { server: { start: false } },
  })
  await connection.sendNotification('initialized', {})
  const opened = next()
  const textDocument = { uri, languageId: 'markdown', version: 1, text: longTasks() }
  await connection.sendNotification(DidOpenTextDocumentNotification.type, { textDocument })
  await opened
  const times: number[] = []
  for (let key = 0; key < KEYS + WARM; key++) {
    const at = { line: 3 + ((key * 97) % 9_000), character: 0 }
    const diagnosed = next()
    const begun = performance.now()
    // A line more moves all that is wrong below it.
    const contentChanges = [{ range: { start: at, end: at }, text: '\n' }]
    void connection.sendNotification(DidChangeTextDocumentNotification.type, {
      textDocument: { uri, version: key + 2 },
      contentChanges,
    })
    await answered(diagnosed, () => connection.sendRequest(LSP_REQUESTS.serverState))
    spin(extraMs * 1000)
    if (key >= WARM) times.push(performance.now() - begun)
    await diagnosed
  }
  return estimateMedian(times).median
}

export default defineBench({
  name: 'lsp-keystroke',
  unit: 'ms',
  a: {
    what: 'a key in a tasks.md of 10,000 lines, to the diagnostics of `skein lsp`, over its pipes',
    run: context => typed(context, diagnosed => diagnosed),
  },
  b: { what: 'the same key, and a question that needs no reading', run: context => typed(context, (_, ask) => ask()) },
  planted: { what: 'with 60 ms more a key', run: context => typed(context, diagnosed => diagnosed, 60) },
  compare: 'alone',
  bar: { atMost: 50 },
})
