import { type ChildProcess, spawn } from 'node:child_process'
import { constants, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { SandboxError } from '../index.ts'
import type { Command } from './enclosure.ts'

/** What the shell is told for one command at most, bytes; longer ones are started the ordinary way. */
const MAX_SCRIPT_BYTES = 64 * 1024
/** Commands that may run at once; more are started the ordinary way. */
const MOST = 8
/** Names of the pipes of one command: its output, and one that is held until it is over. */
const PIPES = ['out', 'err', 'end'] as const
/** Lets bubblewrap hold that last pipe, and nobody inside. */
const HELD = ['--sync-fd', '5']

/** How a process ended, as `ChildProcess` tells it. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A command that runs. */
export interface Started {
  readonly pid: number
  readonly stdin: Writable | null
  readonly stdout: Readable
  readonly stderr: Readable
  /** Fulfils when the process is over. */
  readonly exited: Promise<Ended>
}

/**
 * Starts commands by a small shell that stays. To fork a process of our size holds the event loop for a third of the time that a
 * sandbox lives which runs `true`, and each page we write to afterwards is copied.
 *
 * The shell is never waited for by a command, nor waits for one that is not over: it reads what to do next, so it ends when this
 * process does, and bubblewrap, told to die with its parent, ends with it.
 */
export interface Starters {
  /**
   * Starts a command that wants no standard input.
   * @returns null when there is no shell yet (soon there is), when it is busy, its pipes cannot be opened, or the command is not one for it
   * @throws {SandboxError} when the shell ended meanwhile
   */
  start(command: Command, cwd: string): Promise<Started | null>
  /** Ends the shell, and what it started; there is none afterwards. */
  close(): void
}

/**
 * @param directory for the named pipes; made anew. A set of them serves one command after another: it is free once nobody holds an
 * end, and no sandbox sees their names.
 * @param env what the shell carries, so that it can be told whose it is
 */
export function createStarters({ directory, env }: { directory: string; env: Readonly<Record<string, string>> }): Starters {
  let shell: ChildProcess | null = null
  let closed = false
  let free: number[] = []
  /** Who waits for the next number the shell says of a set: a process id, then an exit code. */
  const asked = new Map<number, (answer: number | null) => void>()

  function open(): void {
    const child = spawn('/bin/sh', ['-s'], { cwd: '/', env, detached: true, stdio: ['pipe', 'pipe', 'ignore'] })
    shell = child
    const lost = () => {
      if (shell !== child) return
      shell = null
      free = []
      for (const answer of asked.values()) answer(null)
      asked.clear()
    }
    child.once('error', lost).once('exit', lost)
    child.stdin.on('error', () => {})
    createInterface({ input: child.stdout }).on('line', line => {
      // What it said before its end may come after it: its pipes are the next one's by then.
      if (shell !== child) return
      const [set = Number.NaN, answer = Number.NaN] = line.split(' ').map(Number)
      if (line === 'ready') free = Array.from({ length: MOST }, (_, index) => index)
      else asked.get(set)?.(answer)
    })
    child.stdin.write(`${preparation(directory)}\n`)
    // Nobody has to stay for a shell that only waits.
    child.unref()
    for (const pipe of [child.stdin, child.stdout]) if (pipe instanceof Socket) pipe.unref()
  }

  /** Tells the shell something, and what it says to it about a set. @returns null when it ended */
  async function ask(set: number, script: string): Promise<number | null> {
    const answer = new Promise<number | null>(resolve => asked.set(set, resolve))
    shell?.stdin?.write(script)
    return answer
  }

  return {
    async start(command, cwd) {
      if (!shell && !closed) open()
      const set = free.at(-1)
      const script = set === undefined ? null : scriptOf(command, cwd, name => pipeOf(directory, set, name))
      if (set === undefined || script === null) return null
      const outputs = readings(PIPES.map(name => pipeOf(directory, set, name)))
      if (outputs === null) return null
      free.pop()
      const starter = shell
      const [stdout, stderr, end] = outputs as [Socket, Socket, Socket]
      const over = new Promise<void>(resolve => end.once('close', resolve))
      const pid = await ask(set, `${script}echo "${set} $!"\n`)
      if (pid === null) {
        // Nobody may ever have begun to write: then nobody tells of the end either.
        for (const pipe of outputs) pipe.destroy()
        throw new SandboxError('failed', 'The shell that starts programs ended; start the program again')
      }
      // Until it is waited for, its number is not given to another process.
      const exited = over.then(async () => {
        const status = starter === shell ? await ask(set, `wait ${pid}; echo "${set} $?"\n`) : null
        asked.delete(set)
        return status === null ? ({ code: null, signal: 'SIGKILL' } as const) : { code: status, signal: null }
      })
      const drained = [stdout, stderr].map(pipe => new Promise(resolve => pipe.once('close', resolve)))
      void Promise.all([exited, ...drained]).then(() => {
        if (starter === shell) free.push(set)
      })
      return { pid, stdin: null, stdout, stderr, exited }
    },
    close() {
      closed = true
      shell?.kill('SIGKILL')
    },
  }
}

const pipeOf = (directory: string, set: number, name: (typeof PIPES)[number]): string => join(directory, `${set}.${name}`)

/** Opens the reading end, at once: the kernel tells of no end before somebody began to write. */
function reading(pipe: string): Socket {
  const socket = new Socket({ fd: openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK), readable: true, writable: false })
  return pipe.endsWith('.end') ? socket.resume() : socket
}

/** @returns null, and nothing stays open, when one cannot be opened: there are no descriptors left, or somebody cleaned up a directory */
function readings(pipes: readonly string[]): Socket[] | null {
  const opened: Socket[] = []
  try {
    for (const pipe of pipes) opened.push(reading(pipe))
    return opened
  } catch {
    for (const socket of opened) socket.destroy()
    return null
  }
}

function preparation(directory: string): string {
  const sets = Array.from({ length: MOST }, (_, set) => PIPES.map(name => quote(pipeOf(directory, set, name))).join(' '))
  const place = quote(directory)
  return `rm -rf ${place} && mkdir -p -m 700 ${place} && mkfifo -m 600 ${sets.join(' ')} && echo ready`
}

/** What the shell does to start a command in the background. @returns null for a command that it could not start. */
function scriptOf({ argv, env, options, filter, before }: Command, cwd: string, pipe: (name: (typeof PIPES)[number]) => string) {
  if (options.length === 0 || [cwd, ...options, ...argv, ...Object.values(env)].some(text => text.includes('\0'))) return null
  const script = [
    // By the shell and not by what it starts: that may be killed before it had opened anything, and nobody would hear of its end.
    `exec 5>${quote(pipe('end'))} 6>${quote(pipe('out'))} 7>${quote(pipe('err'))}`,
    // The options go by a pipe: what they hold of the environment shows in no list of processes.
    `printf '%s\\0' ${[...options, ...HELD].map(quote).join(' ')} 5>&- 6>&- 7>&- | {`,
    `cd ${quote(cwd)} || exit 126`,
    ...Object.entries(env).map(([name, value]) => `export ${name}=${quote(value)}`),
    ...before.map(line => `${line} || exit 126`),
    `exec ${argv.map(quote).join(' ')} 3<&0 </dev/null 4<${filter === null ? '&-' : quote(filter)}`,
    '} >&6 2>&7 6>&- 7>&- &',
    'exec 5>&- 6>&- 7>&-',
    '',
  ].join('\n')
  return Buffer.byteLength(script) > MAX_SCRIPT_BYTES ? null : script
}

/** A word of a POSIX shell that stands for exactly this text. */
export const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
