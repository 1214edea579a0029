import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { promisify } from 'node:util'
import { doneOnce } from '#server/lib/done-once.ts'
import { isTooOld, OLDEST_GIT } from '#server/lib/git-version.ts'
import { WorkspaceError } from './port.ts'

/**
 * Whose configuration applies.
 * `user`: the repository is the person's own and reads as it does for them (attributes, ignores, filters, safe.directory).
 * `none`: the repository or the tree in it is ours or hostile; nothing but the command line counts.
 */
type Trust = 'user' | 'none'

export interface GitOptions {
  readonly trust: Trust
  readonly cwd?: string
  readonly gitDir?: string
  readonly workTree?: string
  readonly indexFile?: string
  /** Where new objects are written instead of the repository. */
  readonly objectsDir?: string
  /** More object directories to read from. */
  readonly alternates?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: Uint8Array | string | AsyncIterable<Uint8Array>
  /** Exit codes that are answers and not failures. Default: only 0. */
  readonly exits?: readonly number[]
  readonly signal?: AbortSignal
  /** Default: 15 minutes, for huge repositories on slow disks. */
  readonly timeoutMs?: number
}

interface GitOutput {
  readonly stdout: Buffer
  readonly stderr: string
  readonly exit: number
}

/** A git command that failed, with what git said. */
export class GitFailure extends WorkspaceError {
  readonly exit: number | null
  readonly stderr: string

  constructor(args: readonly string[], exit: number | null, stderr: string, cause?: unknown) {
    const said = stderr.trim().slice(-2000) || (exit === null ? 'it was ended' : `it ended with exit code ${exit}`)
    super('git_failed', `Failed to run git ${commandOf(args)}: ${said}`, { cause })
    this.exit = exit
    this.stderr = stderr
  }
}

/** Every call fails with `git_failed` and what to do where there is no git, or one that is too old; that is asked once. */
export interface Git {
  /** Runs to the end and keeps the output. @throws {GitFailure} */
  run(args: readonly string[], options: GitOptions): Promise<GitOutput>
  /** As `run`, the output as text without its last line break. */
  text(args: readonly string[], options: GitOptions): Promise<string>
  /** Yields the output as it comes; stopping early ends git. @throws {GitFailure} */
  stream(args: readonly string[], options: GitOptions): AsyncIterable<Uint8Array>
}

const execute = promisify(execFile)
const DEFAULT_TIMEOUT_MS = 15 * 60_000
const LONGEST_OUTPUT_BYTES = 512 * 1024 * 1024
const LONGEST_STDERR_BYTES = 64 * 1024

/** Settings of the command line win over every file, and git hands them on to the git processes it starts itself. */
const ALWAYS: Readonly<Record<string, string>> = {
  'core.hooksPath': '/dev/null',
  'core.fsmonitor': 'false',
  'core.quotePath': 'false',
  'core.splitIndex': 'false',
  'core.logAllRefUpdates': 'false',
  'protocol.ext.allow': 'never',
  'submodule.recurse': 'false',
  'gc.auto': '0',
  'maintenance.auto': 'false',
  'commit.gpgSign': 'false',
  'advice.addEmbeddedRepo': 'false',
}
/** Files made by an agent or by us are compared as this machine would, whatever a configuration says. */
const UNTRUSTED: Readonly<Record<string, string>> = {
  'core.attributesFile': '/dev/null',
  'core.excludesFile': '/dev/null',
  'core.protectNTFS': 'true',
  'core.protectHFS': 'true',
  'core.safecrlf': 'false',
  'diff.renames': 'true',
  'diff.algorithm': 'myers',
}
/** What git and a person's own filters need of the environment; nothing else of ours is handed on. */
const INHERITED = ['PATH', 'HOME', 'XDG_CONFIG_HOME', 'USER', 'LOGNAME', 'TMPDIR', 'SYSTEMROOT'] as const

const IDENTITY = { name: 'Skein', email: 'skein@localhost' } as const

/** The one owner of git processes. No shell, no prompt, no hook, and no GIT_* variable of the caller's gets through. */
export function createGit(deps: { command?: string; env?: Readonly<Record<string, string | undefined>> } = {}): Git {
  const command = deps.command ?? 'git'
  const inherited = deps.env ?? process.env

  const start = (args: readonly string[], options: GitOptions): ChildProcess => {
    const settings = options.trust === 'none' ? { ...ALWAYS, ...UNTRUSTED } : ALWAYS
    const argv = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    return spawn(command, ['--no-pager', ...argv, ...args], {
      cwd: options.cwd ?? options.workTree ?? options.gitDir ?? '/',
      env: environmentFor(options, inherited),
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      killSignal: 'SIGKILL',
      ...(options.signal ? { signal: options.signal } : {}),
    })
  }

  /** @throws {WorkspaceError} A no is asked again: somebody may have installed another. */
  const requireFitting = doneOnce(() => ask(command, inherited.PATH))

  async function* stream(args: readonly string[], options: GitOptions): AsyncGenerator<Uint8Array, GitOutput> {
    await requireFitting()
    const child = start(args, options)
    const end = ended(child)
    const stderr = collectTail(child)
    const fed = feed(child, options.stdin)
    try {
      for await (const chunk of child.stdout ?? []) yield chunk as Uint8Array
      const exit = await end
      await fed
      if (exit === null || !(options.exits ?? [0]).includes(exit)) throw new GitFailure(args, exit, stderr())
      return { stdout: Buffer.alloc(0), stderr: stderr(), exit }
    } catch (cause) {
      if (cause instanceof GitFailure) throw cause
      options.signal?.throwIfAborted()
      throw new GitFailure(args, null, stderr() || String(cause instanceof Error ? cause.message : cause), cause)
    } finally {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    }
  }

  async function run(args: readonly string[], options: GitOptions): Promise<GitOutput> {
    const chunks: Uint8Array[] = []
    let bytes = 0
    const output = stream(args, options)
    for (;;) {
      const next = await output.next()
      if (next.done) return { ...next.value, stdout: Buffer.concat(chunks) }
      bytes += next.value.byteLength
      if (bytes > LONGEST_OUTPUT_BYTES) {
        await output.return({ stdout: Buffer.alloc(0), stderr: '', exit: 0 })
        throw new GitFailure(args, null, `it printed more than ${LONGEST_OUTPUT_BYTES} bytes`)
      }
      chunks.push(next.value)
    }
  }

  return {
    run,
    stream,
    text: async (args, options) => (await run(args, options)).stdout.toString().replace(/\n$/, ''),
  }
}

/** @throws {WorkspaceError} when there is no git that fits */
async function ask(command: string, path: string | undefined): Promise<void> {
  const remedy = `Install git ${OLDEST_GIT} or newer, and start the server with it on PATH.`
  const said = await execute(command, ['version'], { env: { LC_ALL: 'C', ...(path === undefined ? {} : { PATH: path }) } }).then(
    ({ stdout }) => stdout.trim(),
    cause => {
      throw new WorkspaceError('git_failed', `git cannot be run: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
        remedy,
      })
    },
  )
  if (isTooOld(said)) throw new WorkspaceError('git_failed', `${said} is too old.`, { remedy })
}

/** Splits output whose records end with NUL, as text. */
export function records(output: Buffer): string[] {
  const parts = output.toString().split('\0')
  if (parts.at(-1) === '') parts.pop()
  return parts
}

/** As `records`, as bytes: a file name need not be UTF-8. */
export function rawRecords(output: Buffer): Buffer[] {
  const parts: Buffer[] = []
  for (let start = 0, end = output.indexOf(0); end >= 0; start = end + 1, end = output.indexOf(0, start))
    parts.push(output.subarray(start, end))
  return parts
}

/** A list of object directories as GIT_ALTERNATE_OBJECT_DIRECTORIES wants it: quoted, so that a colon in a path is no separator. */
function alternateList(directories: readonly string[]): string {
  return directories.map(quoteC).join(':')
}

/** Git's C-style quoting of a path. */
export function quoteC(path: string): string {
  return `"${path.replace(/["\\]/g, '\\$&').replace(/\n/g, '\\n')}"`
}

function environmentFor(options: GitOptions, inherited: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {
    LC_ALL: 'C',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '',
    SSH_ASKPASS: '',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_NO_LAZY_FETCH: '1',
    GIT_LITERAL_PATHSPECS: '0',
    GIT_AUTHOR_NAME: IDENTITY.name,
    GIT_AUTHOR_EMAIL: IDENTITY.email,
    GIT_COMMITTER_NAME: IDENTITY.name,
    GIT_COMMITTER_EMAIL: IDENTITY.email,
  }
  for (const name of options.trust === 'user' ? INHERITED : (['PATH', 'TMPDIR', 'SYSTEMROOT'] as const)) {
    const value = inherited[name]
    if (value !== undefined) env[name] = value
  }
  if (options.trust === 'none') {
    env.GIT_CONFIG_GLOBAL = '/dev/null'
    env.GIT_CONFIG_NOSYSTEM = '1'
    env.GIT_ATTR_NOSYSTEM = '1'
    env.HOME = '/nonexistent'
  }
  if (options.gitDir !== undefined) env.GIT_DIR = options.gitDir
  if (options.workTree !== undefined) env.GIT_WORK_TREE = options.workTree
  if (options.indexFile !== undefined) env.GIT_INDEX_FILE = options.indexFile
  if (options.objectsDir !== undefined) env.GIT_OBJECT_DIRECTORY = options.objectsDir
  if (options.alternates !== undefined) env.GIT_ALTERNATE_OBJECT_DIRECTORIES = alternateList(options.alternates)
  return { ...env, ...options.env }
}

function ended(child: ChildProcess): Promise<number | null> {
  const { promise, resolve, reject } = Promise.withResolvers<number | null>()
  child.once('error', reject)
  child.once('close', code => resolve(code))
  // Awaited only after the output is read; a failure before that must not count as unhandled.
  promise.catch(() => {})
  return promise
}

function collectTail(child: ChildProcess): () => string {
  let kept = Buffer.alloc(0)
  child.stderr?.on('data', (chunk: Buffer) => {
    kept = Buffer.concat([kept, chunk]).subarray(-LONGEST_STDERR_BYTES)
  })
  return () => kept.toString()
}

/** Git may end without reading all of its input; what it says then counts, not the broken pipe. */
async function feed(child: ChildProcess, input: GitOptions['stdin']): Promise<void> {
  const { stdin } = child
  if (!stdin) return
  stdin.on('error', () => {})
  if (input === undefined || typeof input === 'string' || input instanceof Uint8Array) {
    stdin.end(input)
    return
  }
  for await (const chunk of input) {
    if (stdin.destroyed) return
    if (!stdin.write(chunk)) await new Promise<void>(resume => stdin.once('drain', resume).once('close', resume))
  }
  stdin.end()
}

/** The subcommand, for messages: arguments may hold paths of the node. */
function commandOf(args: readonly string[]): string {
  return args.find(arg => !arg.startsWith('-')) ?? 'git'
}
