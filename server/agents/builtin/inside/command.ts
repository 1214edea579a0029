import { type ChildProcess, spawn } from 'node:child_process'
import { send } from '#server/lib/process-identity.ts'

/** How long output may keep coming after the command's end, from what left its process group; ms. */
const LINGER_MS = 1_000

export interface CommandResult {
  /** The beginning and the end of what it printed. */
  readonly output: string
  /** "exit code 1", "ended by SIGKILL", "ended after 600 s". */
  readonly ending: string
}

/**
 * Runs a shell command. The model writes it; holding it is what the sandbox around this program is for. What the command leaves
 * running ends with it: it would hold the output open for ever.
 * @param options.keep characters of output kept of the beginning, and as many of the end.
 */
export function runCommand(
  command: string,
  { cwd, timeoutMs, keep, log }: { cwd: string; timeoutMs: number; keep: number; log(text: string): void },
): Promise<CommandResult> {
  return new Promise(resolve => {
    const child = spawn('/bin/sh', ['-c', command], { cwd, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    const output = createExcerpt(keep)
    let timedOut = false
    const timeout = setTimeout(() => {
      timedOut = true
      killGroup(child)
    }, timeoutMs)
    const take = (chunk: string) => {
      log(chunk)
      output.add(chunk)
    }
    child.stdout.setEncoding('utf8').on('data', take)
    child.stderr.setEncoding('utf8').on('data', take)
    child.once('exit', () => {
      killGroup(child)
      setTimeout(() => {
        child.stdout.destroy()
        child.stderr.destroy()
      }, LINGER_MS).unref()
    })
    const end = (ending: string) => {
      clearTimeout(timeout)
      resolve({ output: output.text(), ending })
    }
    child.once('error', error => end(`could not be started: ${error.message}`))
    child.once('close', (code, signal) => {
      if (timedOut) end(`ended after ${timeoutMs / 1000} s`)
      else end(signal ? `ended by ${signal}` : `exit code ${code}`)
    })
  })
}

function killGroup({ pid }: ChildProcess): void {
  if (pid !== undefined) send(-pid, 'SIGKILL')
}

/** The two ends of a text that may be of any length, in bounded memory. */
export function createExcerpt(keep: number) {
  let head = ''
  let tail = ''
  let length = 0
  return {
    add(chunk: string): void {
      length += chunk.length
      const room = keep - head.length
      head += chunk.slice(0, room)
      tail = (tail + chunk.slice(Math.max(room, 0))).slice(-keep)
    },
    text(): string {
      const left = length - head.length - tail.length
      return left === 0 ? head + tail : `${head}\n… [${left} characters left out] …\n${tail}`
    },
  }
}
