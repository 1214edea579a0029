import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Longest output that is kept, bytes. */
const MOST_BYTES = 512 * 1024 * 1024
/** What git needs of the environment; no GIT_* variable gets through. */
const INHERITED = ['PATH', 'HOME', 'XDG_CONFIG_HOME', 'USER', 'LOGNAME', 'TMPDIR', 'SYSTEMROOT', 'LANG'] as const
/** Reading starts nothing that a repository names. */
const CAREFUL = ['core.hooksPath=/dev/null', 'core.fsmonitor=false', 'core.quotePath=false', 'protocol.ext.allow=never']

/**
 * Nor does it fetch what is missing of a partial clone: a repository names the program that is run for that, on this machine. The first is
 * known to newer versions of git only; the second lets no way to another repository be taken.
 */
const AT_HOME = { GIT_NO_LAZY_FETCH: '1', GIT_ALLOW_PROTOCOL: '' } as const

/** A git command that failed, with what git said. */
export class GitError extends Error {
  readonly exit: number | null

  constructor(args: readonly string[], exit: number | null, said: string, cause?: unknown) {
    super(`Failed to run git ${args[0]}: ${said.trim().slice(-1000) || 'it said nothing'}`, { cause })
    this.name = 'GitError'
    this.exit = exit
  }
}

export interface Git {
  /** Its output. @throws {GitError} */
  run(...args: string[]): Promise<Buffer>
  /** As {@link run}, with the person's own hooks, for what changes their work tree. */
  act(...args: string[]): Promise<Buffer>
  /** Merges two changes of one text. @returns null when they do not go together @throws {GitError} */
  merge(base: string, now: string, theirs: string): Promise<string | null>
  /** Contents of blobs by their ids. @throws {GitError} when one is missing */
  blobs(ids: readonly string[]): Promise<ReadonlyMap<string, Buffer>>
}

const execute = promisify(execFile)

/** Git in a work tree of the person's. No shell, no prompt. */
export function createGit(directory: string, command = 'git'): Git {
  const env = Object.fromEntries(INHERITED.flatMap(name => (process.env[name] === undefined ? [] : [[name, process.env[name]]])))
  const options = { cwd: directory, env: { ...env, GIT_TERMINAL_PROMPT: '0', GIT_OPTIONAL_LOCKS: '0' } }
  const reading = { ...options, env: { ...options.env, ...AT_HOME } }
  const careful = CAREFUL.flatMap(setting => ['-c', setting])

  async function start(args: readonly string[], isReading: boolean): Promise<Buffer> {
    try {
      const all = ['--no-pager', ...(isReading ? careful : []), ...args]
      const how = isReading ? reading : options
      return (await execute(command, all, { ...how, encoding: 'buffer', maxBuffer: MOST_BYTES })).stdout
    } catch (cause) {
      const { code, stderr, message } = cause as { code?: unknown; stderr?: Buffer; message: string }
      throw new GitError(args, typeof code === 'number' ? code : null, stderr?.toString() || message, cause)
    }
  }

  return {
    run: (...args) => start(args, true),
    act: (...args) => start(args, false),
    async merge(base, now, theirs) {
      const aside = await mkdtemp(join(tmpdir(), 'skein-merge-'))
      try {
        const files = ['now', 'base', 'theirs'].map(name => join(aside, name))
        await Promise.all([now, base, theirs].map((text, at) => writeFile(files[at] ?? '', text, { mode: 0o600 })))
        return (await start(['merge-file', '--stdout', '--quiet', ...files], true)).toString()
      } catch (error) {
        // Up to 127 it is the number of conflicts.
        if (error instanceof GitError && error.exit !== null && error.exit < 128) return null
        throw error
      } finally {
        await rm(aside, { recursive: true, force: true })
      }
    },
    async blobs(ids) {
      const wanted = [...new Set(ids)]
      if (wanted.length === 0) return new Map()
      const child = spawn(command, [...careful, 'cat-file', '--batch'], { ...reading, stdio: ['pipe', 'pipe', 'ignore'] })
      // Git ends when it has all; that it may end early is told by what it wrote.
      child.stdin.on('error', () => {})
      child.stdin.end(wanted.map(id => `${id}\n`).join(''))
      const chunks: Buffer[] = []
      for await (const chunk of child.stdout) chunks.push(chunk)
      return parseBatch(Buffer.concat(chunks), wanted)
    },
  }
}

function parseBatch(output: Buffer, wanted: readonly string[]): ReadonlyMap<string, Buffer> {
  const blobs = new Map<string, Buffer>()
  let at = 0
  for (const id of wanted) {
    const line = output.subarray(at, output.indexOf(10, at)).toString()
    const size = /^\S+ blob (\d+)$/.exec(line)?.[1]
    if (size === undefined) throw new GitError(['cat-file'], null, `there is no file content ${id}`)
    const from = at + line.length + 1
    blobs.set(id, output.subarray(from, from + Number(size)))
    at = from + Number(size) + 1
  }
  return blobs
}
