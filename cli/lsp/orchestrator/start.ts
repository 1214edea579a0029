import { spawn } from 'node:child_process'
import { mkdir, open, readFile, rename, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Environment } from '#server/config.ts'
import { systemClock } from '#server/lib/clock.ts'
import { pause } from '#server/lib/pause.ts'
import { sanitizeLine } from '#shared/model/index.ts'
import { isAlive } from '../../connect.ts'
import { CliError, EXIT } from '../../exit-codes.ts'

/** How long a server may take to be ready, recovery included, ms. */
const PATIENCE_MS = 60_000
const LOOK_MS = 100
const LARGEST_LOG_BYTES = 8 * 1024 * 1024
/** What is quoted of the log of a server that did not start. */
const QUOTED_BYTES = 4_000
const QUOTED_LINES = 6

export interface StartOptions {
  readonly dataDir: string
  /** Settings file that was read, or null. */
  readonly settings: string | null
  /** Where it is to listen by its settings. */
  readonly address: { readonly host: string; readonly port: number }
  readonly env: Environment
  readonly signal: AbortSignal
}

/** Where a server that is started here writes its log. */
export const logFileOf = (dataDir: string): string => join(dataDir, 'server.log')

/**
 * Starts the orchestrator apart from this process, or waits for the one that another window has begun to start: the data directory
 * has a lock, so that of several started at once one stays.
 * @param find looks whether one answers
 * @throws {CliError} with what it said, when it ends before it is ready
 */
export async function startServer<Found>(options: StartOptions, find: () => Promise<Found | null>): Promise<Found> {
  const { dataDir, signal } = options
  const logFile = logFileOf(dataDir)
  let started = await launch(options)
  for (const until = performance.now() + PATIENCE_MS; performance.now() < until && !signal.aborted; ) {
    const found = await find()
    if (found !== null) return found
    const ended = started.ended()
    if (ended !== null && ended.code !== EXIT.held) throw await notStarted(logFile, started.logFrom, ended.why)
    // Another one has the directory. It is starting and will be found, or it is stopping and leaves it to a new one.
    if (ended !== null && !(await isOwned(dataDir))) started = await launch(options)
    await Promise.race([pause(LOOK_MS, systemClock, signal), ended === null ? started.end : new Promise(() => {})])
  }
  throw new CliError(EXIT.unavailable, `The Skein server was not ready within ${PATIENCE_MS / 1000} s.`, {
    remedy: `Its log is ${logFile}.`,
  })
}

interface Ended {
  readonly code: number | null
  readonly why: string
}
interface Started {
  ended(): Ended | null
  readonly end: Promise<void>
  /** Where its part of the log begins, byte. */
  readonly logFrom: number
}

async function launch({ dataDir, settings, address, env }: StartOptions): Promise<Started> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const [, script = ''] = process.argv
  const args = ['serve', '--json', '--data-dir', dataDir, ...(settings === null ? [] : ['--config', settings])]
  // Many programs use 8080; a window that cannot start because of one would be a riddle.
  if (await isTaken(address)) args.push('--port', '0')
  const { file, logFrom } = await openLog(logFileOf(dataDir))
  try {
    // A port for a debugger cannot be had twice.
    const flags = process.execArgv.filter(flag => !flag.startsWith('--inspect'))
    const child = spawn(process.execPath, [...flags, script, ...args], {
      cwd: dataDir,
      env: { ...env },
      detached: true,
      stdio: ['ignore', file.fd, file.fd],
      windowsHide: true,
    })
    child.unref()
    let ended: Ended | null = null
    const end = new Promise<void>(resolve => {
      const over = (how: Ended) => {
        ended = how
        resolve()
      }
      child.once('error', error => over({ code: null, why: error.message }))
      child.once('exit', (code, killedBy) => over({ code, why: code === null ? `ended by ${killedBy}` : `exit code ${code}` }))
    })
    return { ended: () => ended, end, logFrom }
  } finally {
    await file.close()
  }
}

async function openLog(path: string) {
  const size = (await stat(path).catch(() => null))?.size ?? 0
  if (size > LARGEST_LOG_BYTES) await rename(path, `${path}.1`).catch(() => {})
  const file = await open(path, 'a', 0o600)
  return { file, logFrom: (await file.stat()).size }
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

/** Whether some process holds the data directory. */
async function isOwned(dataDir: string): Promise<boolean> {
  const pid = Number(await readFile(join(dataDir, 'owner.pid'), 'utf8').catch(() => ''))
  return pid > 0 && isAlive(pid)
}

async function notStarted(logFile: string, from: number, why: string): Promise<CliError> {
  const said = (await readFile(logFile).catch(() => Buffer.alloc(0))).subarray(from)
  const lines = said.subarray(-QUOTED_BYTES).toString().split('\n')
  // Lines of JSON are for programs; what a person is told comes without.
  const words = lines.filter(line => line.trim() !== '' && !line.startsWith('{')).slice(-QUOTED_LINES)
  return new CliError(EXIT.unavailable, `The Skein server did not start: ${sanitizeLine(words.join(' ')) || why}`, {
    remedy: `Its log is ${logFile}; \`skein doctor\` looks for the cause.`,
  })
}
