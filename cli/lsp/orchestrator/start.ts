import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, open, readFile, rename, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Environment } from '#server/config.ts'
import { runningServer, type ServerFile } from '../../connect.ts'
import { CliError, EXIT } from '../../exit-codes.ts'

/** How long a server may take to be ready, recovery included, ms. */
const PATIENCE_MS = 60_000
const LOOK_MS = 100
const LARGEST_LOG_BYTES = 8 * 1024 * 1024
/** What is quoted of the log of a server that did not start. */
const QUOTED_BYTES = 4_000

export interface StartOptions {
  readonly dataDir: string
  /** Settings file, if one was named. */
  readonly config: string | null
  /** Where it is to listen by its settings. */
  readonly address: { readonly host: string; readonly port: number }
  readonly env: Environment
  readonly cwd: string
  readonly signal: AbortSignal
}

export const logFileOf = (dataDir: string): string => join(dataDir, 'server.log')

/**
 * Starts the orchestrator apart from this process, or waits for the one that another window has begun to start: the data directory
 * has a lock, so that of several started at once one stays.
 * @throws {CliError} with what it said, when it ends before it is ready
 */
export async function startServer(options: StartOptions): Promise<ServerFile> {
  const { dataDir, signal } = options
  const { child, from } = await launch(options)
  const ended = once(child, 'exit').then(
    () => true,
    () => true,
  )
  const until = performance.now() + PATIENCE_MS
  let isOver = false
  while (performance.now() < until && !signal.aborted) {
    const server = await runningServer(dataDir)
    if (server) return server
    if (isOver && !(await isOwned(dataDir))) throw await notStarted(dataDir, from)
    isOver ||= await Promise.race([ended, look(signal).then(() => false)])
    if (isOver) await look(signal)
  }
  throw new CliError(EXIT.unavailable, `The Skein server was not ready within ${PATIENCE_MS / 1000} s.`, {
    remedy: `Its log is ${logFileOf(dataDir)}.`,
  })
}

function look(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, LOOK_MS)
    signal.addEventListener('abort', () => resolve(clearTimeout(timer)), { once: true })
  })
}

async function launch({ dataDir, config, address, env, cwd }: StartOptions): Promise<{ child: ChildProcess; from: number }> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const { file, from } = await openLog(logFileOf(dataDir))
  const [, script = ''] = process.argv
  const args = ['serve', '--json', '--data-dir', dataDir, ...(config === null ? [] : ['--config', config])]
  // Many programs use 8080; a window that cannot start because of one would be a riddle.
  if (await isTaken(address)) args.push('--port', '0')
  try {
    const child = spawn(process.execPath, [...process.execArgv, script, ...args], {
      cwd,
      env: { ...env },
      detached: true,
      stdio: ['ignore', file.fd, file.fd],
      windowsHide: true,
    })
    child.unref()
    return { child, from }
  } finally {
    await file.close()
  }
}

async function openLog(path: string) {
  const size = (await stat(path).catch(() => null))?.size ?? 0
  if (size > LARGEST_LOG_BYTES) await rename(path, `${path}.1`).catch(() => {})
  const file = await open(path, 'a', 0o600)
  return { file, from: (await file.stat()).size }
}

/** Whether something else listens there already. */
function isTaken({ host, port }: StartOptions['address']): Promise<boolean> {
  if (port === 0) return Promise.resolve(false)
  return new Promise(resolve => {
    const probe = createServer()
    probe.once('error', error => resolve('code' in error && error.code === 'EADDRINUSE'))
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(false)))
  })
}

/** Whether some process holds the data directory: it is starting, or stopping. */
async function isOwned(dataDir: string): Promise<boolean> {
  const pid = Number(await readFile(join(dataDir, 'owner.pid'), 'utf8').catch(() => ''))
  if (!(pid > 0)) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

async function notStarted(dataDir: string, from: number): Promise<CliError> {
  const said = (await readFile(logFileOf(dataDir)).catch(() => Buffer.alloc(0))).subarray(from)
  const lines = said.subarray(-QUOTED_BYTES).toString().split('\n')
  const words = lines.filter(line => line.trim() !== '' && !line.startsWith('{')).slice(-6).join(' ')
  return new CliError(EXIT.unavailable, `The Skein server did not start: ${words || 'it said nothing.'}`, {
    remedy: `Its log is ${logFileOf(dataDir)}; \`skein doctor\` looks for the cause.`,
  })
}
