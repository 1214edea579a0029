import { type ChildProcess, spawn } from 'node:child_process'
import { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import type { Command } from './enclosure.ts'

/** What a shell takes as its program at most, bytes; longer commands are started the ordinary way. */
const MAX_SCRIPT_BYTES = 64 * 1024
/** File descriptors of a waiting shell: what the command reads from 3 on, and what becomes its standard input. */
const OPTIONS = 3
const INPUT = 5

/** A command that runs. */
export interface Started {
  readonly child: ChildProcess
  readonly stdin: Writable | null
}

/**
 * Processes forked ahead of need. To fork a process of our size takes the kernel a third of the time that a sandbox lives which runs
 * `true`; a shell that already waits only has to be told what to become, and the next is forked while that one works.
 */
export interface Starters {
  /**
   * Makes a waiting shell become a command, and soon has another wait.
   * @returns null when none waits, or the command is not one for a shell
   */
  start(command: Command, options: { cwd: string; stdin: 'none' | 'pipe' }): Started | null
  /** Ends the waiting shell; none waits afterwards. */
  close(): void
}

/** @param env what a waiting shell carries, so that it can be told whose it is */
export function createStarters(env: Readonly<Record<string, string>>): Starters {
  let waiting: ChildProcess | null = null
  let closed = false

  function fork(): void {
    if (waiting || closed) return
    // It reads its program from standard input, a pipe of ours: when this process ends, however, so does the shell.
    const child = spawn('/bin/sh', ['-s'], {
      cwd: '/',
      env,
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe', 'pipe', 'ignore', 'pipe'],
    })
    const forget = () => {
      if (waiting === child) waiting = null
    }
    child.once('error', forget).once('exit', forget)
    child.stdin?.on('error', () => {})
    // Nobody has to stay for a shell that only waits.
    child.unref()
    for (const pipe of child.stdio) if (pipe instanceof Socket) pipe.unref()
    waiting = child
  }

  function take(): ChildProcess | null {
    const child = waiting
    waiting = null
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return null
    child.ref()
    for (const pipe of child.stdio) if (pipe instanceof Socket) pipe.ref()
    return child
  }

  return {
    start(command, { cwd, stdin }) {
      const script = scriptOf(command, { cwd, stdin })
      if (script === null) return null
      setImmediate(fork)
      const child = take()
      if (!child) return null
      child.stdin?.end(script)
      const [options] = command.inputs
      const pipes: readonly unknown[] = child.stdio
      send(pipes[OPTIONS], typeof options === 'object' ? options : '')
      const input = pipes[INPUT]
      if (stdin === 'pipe' && input instanceof Socket) return { child, stdin: input.resume() }
      send(input, '')
      return { child, stdin: null }
    },
    close() {
      closed = true
      waiting?.kill('SIGKILL')
      waiting = null
    },
  }
}

/** Writes to a pipe and closes it; the other side may go away without having read. */
function send(pipe: unknown, bytes: Uint8Array | string): void {
  if (!(pipe instanceof Socket)) return
  pipe.on('error', () => {})
  pipe.resume()
  pipe.end(bytes)
}

/** What a shell does to become a command. @returns null for a command that it could not become. */
function scriptOf({ argv, env, inputs, before }: Command, { cwd, stdin }: { cwd: string; stdin: string }): string | null {
  const [options, filter, ...others] = inputs
  const isUsual = options instanceof Buffer && (filter === undefined || typeof filter === 'string') && others.length === 0
  if (!isUsual || [cwd, ...argv, ...Object.values(env)].some(text => text.includes('\0'))) return null
  const script = [
    `cd ${quote(cwd)} || exit 126`,
    ...Object.entries(env).map(([name, value]) => `export ${name}=${quote(value)}`),
    ...before.map(line => `${line} || exit 126`),
    `exec ${argv.map(quote).join(' ')} ${stdin === 'pipe' ? '<&5' : '</dev/null'} 5<&- 4<${filter === undefined ? '&-' : quote(filter)}`,
    '',
  ].join('\n')
  return Buffer.byteLength(script) > MAX_SCRIPT_BYTES ? null : script
}

/** A word of a POSIX shell that stands for exactly this text. */
export const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
