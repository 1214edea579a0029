import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import {
  createProtocolConnection,
  DidChangeTextDocumentNotification,
  DidOpenTextDocumentNotification,
  PublishDiagnosticsNotification,
} from 'vscode-languageserver/node'
import { defineBench, type SideContext } from './bench.ts'
import { longTasks, SPEC } from './long-tasks.ts'
import { estimateMedian } from './statistics.ts'

const PROGRAM = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
const KEYS = 100
const WARM = 20

/** Length of a clock tick in /proc/<pid>/stat, ms. */
const TICK_MS = 10

/** Processor time that a process has taken, all of its threads, ms. */
async function cpuMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}

interface Typed {
  /** Processor time that the process took for a key, all of its threads, ms; the mean. */
  readonly cpuMs: number
  /** From a key to its diagnostics by the clock on the wall, ms; the median. */
  readonly wallMs: number
}

/** What a real process takes from a key to its diagnostics. */
async function typed({ directory, defer }: SideContext, text: string): Promise<Typed> {
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
  const textDocument = { uri, languageId: 'markdown', version: 1, text }
  await connection.sendNotification(DidOpenTextDocumentNotification.type, { textDocument })
  await opened
  const lines = text.split('\n').length
  const { pid = 0 } = child
  let before = 0
  const waits: number[] = []
  for (let key = 0; key < KEYS + WARM; key++) {
    if (key === WARM) before = await cpuMs(pid)
    const at = { line: 3 + ((key * 97) % (lines - 3)), character: 0 }
    const diagnosed = next()
    const begun = performance.now()
    // A line more moves all that is wrong below it.
    const contentChanges = [{ range: { start: at, end: at }, text: '\n' }]
    const changed = { textDocument: { uri, version: key + 2 }, contentChanges }
    await connection.sendNotification(DidChangeTextDocumentNotification.type, changed)
    await diagnosed
    if (key >= WARM) waits.push(performance.now() - begun)
  }
  return { cpuMs: ((await cpuMs(pid)) - before) / KEYS, wallMs: estimateMedian(waits).median }
}

/** The three documents that are typed in. @param of which of the two clocks */
const sides = (of: keyof Typed) => {
  const run = (lines?: number) => async (context: SideContext) => (await typed(context, longTasks(lines)))[of]
  return {
    a: {
      what: 'a key in a tasks.md of 10,000 lines, to the diagnostics of `skein lsp`, over its pipes',
      run: run(),
    },
    b: { what: 'the same in one of 1,000 lines', run: run(1_000) },
    planted: { what: 'in one of 20,000 lines', run: run(20_000) },
  }
}

export default defineBench(
  {
    name: 'lsp-keystroke',
    unit: 'ms',
    ...sides('cpuMs'),
    compare: 'alone',
    bar: { atMost: 50 },
    note: 'Processor time of the whole process, its garbage collector and compiler too; what else the machine does is no part of it.',
  },
  {
    name: 'lsp-keystroke-wall',
    unit: 'ms',
    ...sides('wallMs'),
    compare: 'alone',
    bar: { atMost: 50 },
    note: 'By the clock on the wall, the median of a hundred keys: what a person waits.',
  },
)
