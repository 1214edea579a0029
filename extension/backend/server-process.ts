import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { plainLine } from '../rows/plain.ts'

/** How long the process may take to end after it was told to, ms. */
const GRACE_MS = 3000

/** Where the lines go that it writes to stderr; the editor's log channel fits. */
export interface Lines {
  error(text: string): void
  warn(text: string): void
  info(text: string): void
  debug(text: string): void
}

export interface ServerProcess {
  readonly reader: NodeJS.ReadableStream
  readonly writer: NodeJS.WritableStream
  /** Why it ended: never rejects. */
  readonly ended: Promise<string>
  /** Has it end, by force after a while. */
  end(): Promise<void>
}

/**
 * Starts `skein lsp`.
 * @param node program to run it with: a Node.js, or an editor that acts as one
 */
export function startServer(node: string, script: string, log: Lines): ServerProcess {
  const child = spawn(node, [script, 'lsp'], { env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' }, windowsHide: true })
  let last = ''
  createInterface({ input: child.stderr }).on('line', line => {
    const said = write(line, log)
    if (said !== '') last = said
  })
  // A process that ends while something is written to it is told of by its end.
  child.stdin.on('error', () => {})
  return { reader: child.stdout, writer: child.stdin, ended: reasonOf(child, () => last), end: () => end(child) }
}

async function reasonOf(child: ChildProcessWithoutNullStreams, last: () => string): Promise<string> {
  try {
    const [code, signal] = await once(child, 'close')
    const how = signal === null ? `exit code ${code}` : `signal ${signal}`
    return last() === '' ? `skein lsp ended with ${how}` : `skein lsp ended with ${how}: ${last()}`
  } catch (error) {
    return `skein lsp could not be started: ${error instanceof Error ? error.message : error}`
  }
}

async function end(child: ChildProcessWithoutNullStreams): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const ended = once(child, 'exit')
  child.stdin.end()
  const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
  await ended.catch(() => {})
  clearTimeout(timer)
}

/** Levels of pino, from which on a line is shown as what. */
const LEVELS = [
  [50, 'error'],
  [40, 'warn'],
  [30, 'info'],
] as const

/** Some lines are JSON of pino; others stand as they are. @returns what it says */
function write(line: string, log: Lines): string {
  let level = 30
  let text = plainLine(line, 2000)
  try {
    const { level: number, msg, ...more } = JSON.parse(line)
    const { time, pid, hostname, ...facts } = more
    level = Number(number)
    text = plainLine(Object.keys(facts).length === 0 ? String(msg) : `${msg} ${JSON.stringify(facts)}`, 2000)
  } catch {
    // Not JSON.
  }
  const [, way] = LEVELS.find(([least]) => level >= least) ?? [0, 'debug' as const]
  log[way](text)
  return text
}
