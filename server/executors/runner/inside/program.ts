import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import type { Readable } from 'node:stream'
import { killMarked, PROCESS_MARK } from '#server/executors/process-table.ts'
import { shellLimits } from '#server/executors/rlimits.ts'
import { readStat, send } from '#server/lib/process-identity.ts'
import type { OutputName, ProgramRequest, RunnerToken } from '../protocol.ts'
import { oomKills } from './measure.ts'
import { createSpool, type Spool } from './spool.ts'

/** How long what a program left behind may hold its output open. */
const LINGER_MS = 1000

export interface Program {
  readonly pid: number
  readonly startTicks: number
  /** Fulfils when it is over and its output is complete. */
  readonly over: Promise<{ code: number | null; signal: string | null; oom: boolean; stdout: number; stderr: number }>
  output(name: OutputName): Spool
  /** Fulfils when the program has taken it. What was given before is skipped. */
  input(at: number, bytes: Buffer): Promise<void>
  inputEnd(): void
  signal(name: NodeJS.Signals): void
}

/** There is no such program here. */
export class NotFound extends Error {}

/** Starts a program whose output goes to the spool. @throws {NotFound} */
export async function startProgram(id: string, request: ProgramRequest, token: RunnerToken): Promise<Program> {
  const [name = ''] = request.argv
  // Where the image has its programs is known here alone.
  const path = request.env.PATH || (process.env.PATH ?? '')
  if (!isProgram(name, path, token.workDir)) throw new NotFound(`There is no program ${JSON.stringify(name)} in the sandbox`)
  const killsBefore = token.alone ? oomKills() : 0
  const mark = `${token.id}.${id}`
  const limits = shellLimits(request.limits)
  const child = spawn('/bin/sh', ['-c', `${limits} && exec "$@"`, 'sh', ...request.argv], {
    cwd: token.workDir,
    env: { ...request.env, PATH: path, [PROCESS_MARK]: mark },
    detached: true,
    stdio: [request.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  })
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', reject)
  })
  const pid = child.pid ?? 0
  const spools = {
    stdout: createSpool(join(token.spool, id, 'stdout'), token.spoolBytes),
    stderr: createSpool(join(token.spool, id, 'stderr'), token.spoolBytes),
  }
  const sweep = () => {
    send(-pid, 'SIGKILL')
    killMarked({ [PROCESS_MARK]: mark })
  }
  const ended = new Promise<{ code: number | null; signal: string | null }>(resolve => {
    child.once('exit', (code, signal) => {
      sweep()
      resolve({ code, signal })
    })
  })
  const copied = Promise.all([copy(child.stdout, spools.stdout, ended), copy(child.stderr, spools.stderr, ended)])
  const over = Promise.all([ended, copied]).then(([exit]) => {
    const survived = exit.code === 0
    const oom = token.alone && !survived && oomKills() > killsBefore
    return { ...exit, oom, stdout: spools.stdout.length, stderr: spools.stderr.length }
  })
  return {
    pid,
    startTicks: readStat(pid)?.startTicks ?? 0,
    over,
    output: name => spools[name],
    ...inputOf(child),
    signal(name) {
      if (child.exitCode !== null || child.signalCode !== null) return
      if (name === 'SIGKILL') sweep()
      child.kill(name)
    },
  }
}

function inputOf({ stdin }: ChildProcess): Pick<Program, 'input' | 'inputEnd'> {
  let taken = 0
  let turn = Promise.resolve()
  let closed = false
  // It may go away without having read; that is its exit to report.
  stdin?.on('error', () => {})
  stdin?.on('close', () => (closed = true))
  const write = (bytes: Buffer) =>
    new Promise<void>(resolve => {
      if (!stdin || closed || stdin.writableEnded) return resolve()
      stdin.once('close', resolve)
      stdin.write(bytes, () => {
        stdin.off('close', resolve)
        resolve()
      })
    })
  return {
    input(at, bytes) {
      if (at > taken) throw new Error(`Input at ${at} leaves a gap after ${taken}`)
      const fresh = bytes.subarray(taken - at)
      taken += fresh.length
      if (fresh.length > 0) turn = turn.then(() => write(fresh))
      return turn
    },
    inputEnd: () => void turn.then(() => stdin?.end()),
  }
}

/** Ends with the output, or a while after the program when something else holds it open. */
async function copy(from: Readable | null, spool: Spool, ended: Promise<unknown>): Promise<void> {
  void ended.then(() => setTimeout(() => from?.destroy(), LINGER_MS).unref())
  let gone = () => {}
  const closed = new Promise<void>(resolve => (gone = resolve))
  from?.once('close', gone)
  try {
    for await (const chunk of from ?? []) {
      spool.append(chunk as Buffer)
      await spool.room()
    }
  } catch {
    // Cut off above: what came until then is what there is.
  }
  if (from) await closed
  spool.finish()
}

function isProgram(name: string, path: string, workDir: string): boolean {
  if (name.includes('/')) return isExecutable(isAbsolute(name) ? name : join(workDir, name))
  return name !== '' && path.split(':').some(directory => isExecutable(join(directory || workDir, name)))
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
