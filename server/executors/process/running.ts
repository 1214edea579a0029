import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { Duplex, PassThrough, type Readable, type Writable } from 'node:stream'
import { identify, send } from '#server/lib/process-identity.ts'
import { exitOf } from '../exit.ts'
import { type Exit, type ProcessIdentity, SandboxError, type SandboxProcess } from '../index.ts'
import { encodeOptions } from './bubblewrap.ts'
import type { Command, Enclosure } from './enclosure.ts'
import type { Ended, Started, Starters } from './starters.ts'

/** One program that was started in a sandbox. */
export interface Running extends SandboxProcess {
  readonly mark: string
  /** Fulfils when the process is over, whether or not anybody has read its output. */
  readonly ended: Promise<void>
}

/**
 * Starts a command. When its program is over, what it left behind is ended too, so that the pipes close and `wait` fulfils.
 * @param verdict says why it ended, given how it did: the sandbox knows of limits.
 * @throws {SandboxError}
 */
export async function run(
  command: Command,
  options: {
    mark: string
    cwd: string
    stdin: 'none' | 'pipe'
    enclosure: Enclosure
    starters: Starters
    verdict: (exit: Exit) => Exit
  },
): Promise<Running> {
  const { mark, cwd, enclosure, starters } = options
  const quick = options.stdin === 'none' ? await starters.start(command, cwd) : null
  const { pid, stdin, stdout, stderr, exited } = quick ?? (await spawned(command, options))
  const closed = [stdout, stderr].map(output => new Promise(resolve => output.once('close', resolve)))
  let isOver = false
  const ended = exited.then(({ code, signal }) => {
    isOver = true
    // A shell tells of a signal by a number that programs may choose too.
    enclosure.sweep(pid, mark, signal !== null || (code ?? 0) > 128)
  })
  const over = Promise.all([exited, ...closed]).then(([{ code, signal }]) => options.verdict(exitOf(code, signal)))
  return {
    mark,
    identity: identityOf(pid),
    stdin,
    stdout: kept(stdout, exited),
    stderr: kept(stderr, exited),
    ended,
    wait: () => over,
    signal(signal) {
      if (isOver) return
      const program = enclosure.program(pid)
      // Before there is a program nobody can end politely, least of all the sandbox that is still being built.
      if (signal === 'SIGKILL' || program === null) enclosure.end(pid, mark)
      else send(program, signal)
    },
  }
}

/**
 * Output that waits for its reader. When a process exits, Node throws away what nobody has begun to read, and a caller that first
 * writes down which process this is would lose the output of a quick one.
 */
function kept(output: Readable, exited: Promise<unknown>): Readable {
  const waiting = new PassThrough()
  // Who turned away from it does not hold the pipe any longer than the process does.
  waiting.once('close', () => void exited.then(() => output.destroy()))
  output.on('error', cause => waiting.destroy(cause)).pipe(waiting)
  return waiting
}

/** A process that is over before it could be looked at gets an identity that no living one has. */
function identityOf(pid: number): ProcessIdentity {
  return identify(pid) ?? { pid, startTime: 'over' }
}

async function spawned(command: Command, { cwd, stdin }: { cwd: string; stdin: 'none' | 'pipe' }): Promise<Started> {
  const [file = '', ...argv] = whole(command)
  const filter = command.filter === null ? null : openSync(command.filter, 'r')
  try {
    const options = encodeOptions(command.options)
    const child = spawn(file, argv, {
      cwd,
      env: command.env,
      // A session of its own: what a terminal sends to the server must not reach the job.
      detached: true,
      stdio: [
        stdin === 'pipe' ? 'pipe' : 'ignore',
        'pipe',
        'pipe',
        ...(options.length > 0 ? ['pipe' as const] : []),
        ...(filter === null ? [] : [filter]),
      ],
    })
    const exited = new Promise<Ended>(resolve => child.once('exit', (code, signal) => resolve({ code, signal })))
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', reject)
    })
    // The program may go away without having read; that is its exit to report, not an error of ours.
    child.stdin?.on('error', () => {})
    feed(child.stdio[3], options)
    const { pid = 0, stdout, stderr } = child
    if (!stdout || !stderr) throw new Error('it has no output')
    return { pid, stdin: child.stdin, stdout, stderr, exited }
  } catch (cause) {
    throw new SandboxError('failed', `Failed to start ${file}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  } finally {
    if (filter !== null) closeSync(filter)
  }
}

/** The command with what a shell has to do first. */
const whole = ({ argv, before }: Command): readonly string[] =>
  before.length === 0 ? argv : ['/bin/sh', '-c', [...before, 'exec "$@"'].join(' && '), 'sh', ...argv]

function feed(pipe: Readable | Writable | null | undefined, bytes: Buffer): void {
  if (!(pipe instanceof Duplex)) return
  pipe.on('error', () => {})
  pipe.resume()
  pipe.end(bytes)
}
