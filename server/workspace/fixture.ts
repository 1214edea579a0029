import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Snapshot } from '#shared/model/index.ts'
import { createWorkspace, type Workspace } from './index.ts'

/** A directory that goes away with the test. */
export function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), 'skein workspace-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** Whoever runs the tests has settings of their own; none of them counts here. */
process.env.HOME = '/nonexistent'
delete process.env.XDG_CONFIG_HOME

const ENV = {
  PATH: process.env.PATH ?? '',
  HOME: '/nonexistent',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.org',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.org',
}

/** A real repository on disk with what tests do to it. */
export interface Repo {
  readonly path: string
  git(...args: string[]): string
  gitWith(input: string, ...args: string[]): string
  write(path: string, content: string | Uint8Array): void
  read(path: string): string
  commit(message?: string): string
  file(path: string): string
  remove(path: string): void
  /** The same repository with more in the environment. */
  withEnv(env: Readonly<Record<string, string>>): Repo
  /** Another work tree with the same objects, refs and local configuration. */
  sibling(): Repo
}

export function repoAt(path: string, env: Readonly<Record<string, string>> = {}): Repo {
  const run = (input: string | undefined, args: string[]) =>
    execFileSync('git', ['-c', 'protocol.file.allow=always', ...args], {
      cwd: path,
      env: { ...ENV, ...env },
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(input === undefined ? {} : { input }),
    }).replace(/\n$/, '')
  const repo: Repo = {
    path,
    git: (...args) => run(undefined, args),
    gitWith: (input, ...args) => run(input, args),
    file: name => join(path, name),
    remove: name => rmSync(join(path, name), { recursive: true }),
    withEnv: more => repoAt(path, { ...env, ...more }),
    write(name, content) {
      mkdirSync(dirname(join(path, name)), { recursive: true })
      writeFileSync(join(path, name), content)
    },
    read: name => readFileSync(join(path, name), 'utf8'),
    commit(message = 'work') {
      repo.git('add', '-A')
      repo.git('commit', '-q', '--allow-empty', '-m', message)
      return repo.git('rev-parse', 'HEAD')
    },
    sibling() {
      const other = join(temporary(), 'sibling')
      repo.git('worktree', 'add', '-q', '--detach', other)
      onTestFinished(() => rmSync(join(path, '.git/worktrees'), { recursive: true, force: true }))
      return repoAt(other)
    },
  }
  return repo
}

export function newRepo(files: Readonly<Record<string, string | Uint8Array>> = {}, init: readonly string[] = []): Repo {
  const path = join(temporary(), 'my repo "ü"')
  mkdirSync(path)
  const repo = repoAt(path)
  repo.git('init', '-q', '-b', 'main', ...init)
  for (const [name, content] of Object.entries(files)) repo.write(name, content)
  if (Object.keys(files).length > 0) repo.commit()
  return repo
}

export interface Bench {
  readonly workspace: Workspace
  readonly directory: string
  /** An empty directory for a check-out. */
  place(): string
}

export function newWorkspace(git?: string): Bench {
  const root = temporary()
  const directory = join(root, 'data')
  let places = 0
  return {
    directory,
    workspace: createWorkspace({ directory, ...(git === undefined ? {} : { git }) }),
    place() {
      const path = join(root, `place-${++places}`)
      mkdirSync(path)
      return path
    },
  }
}

/** A workspace over the real git, which writes down every call and may do something after one. */
export function newRecording(options: { after?: Readonly<Record<string, string>> } = {}) {
  const directory = temporary()
  const log = join(directory, 'calls')
  const git = join(directory, 'git')
  const after = Object.entries(options.after ?? {}).map(([command, script]) => `*" ${command} "*) ${script} ;;`)
  const lines = [
    '#!/bin/sh',
    `printf '%s\\n' "$*" >> '${log}'`,
    'git "$@"',
    'code=$?',
    `case " $* " in ${after.join('\n')}`,
    `*" bundle create "*) for file in "$@"; do case $file in *.bundle) bundle=$file ;; esac; done`,
    `  : > '${directory}/pack'; sed -e '1,/^$/d' "$bundle" > '${directory}/pack'`,
    `  od -An -tu1 -j8 -N4 '${directory}/pack' >> '${directory}/objects' ;;`,
    'esac',
    'exit $code',
  ]
  writeFileSync(git, `${lines.join('\n')}\n`, { mode: 0o755 })
  const read = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [])
  return {
    bench: newWorkspace(git),
    /** Command lines without the settings before the command. */
    takeCalls() {
      const calls = read(log).map(line => line.replace(/^--no-pager (-c \S+ )*/, ''))
      rmSync(log, { force: true })
      return calls
    },
    /** Number of objects in each bundle written so far: bytes 8 to 11 of its pack. */
    bundledObjects: () =>
      read(join(directory, 'objects')).map(line =>
        line
          .trim()
          .split(/ +/)
          .reduce((sum, byte) => sum * 256 + Number(byte), 0),
      ),
  }
}

/** The cache a snapshot is in, to look into. */
export const cacheOf = (bench: Bench, snapshot: Snapshot) =>
  repoAt(join(bench.directory, 'repos', `${snapshot.repositoryId}.git`))

export async function checkedOut(bench: Bench, snapshot: Snapshot, commit = snapshot.commit): Promise<string> {
  const dir = bench.place()
  await bench.workspace.checkout(snapshot, commit, dir)
  return dir
}

let jobs = 0
export const newJobId = () => `job${String(++jobs).padStart(11, '0')}`

/**
 * Content, mode and modification time of everything below a directory: equal before and after means nothing was touched. Times of
 * loose objects and of a shared index are left out: git renews them whenever it finds them of use, and nothing depends on them but how
 * soon they are pruned.
 */
export function fingerprint(directory: string, except: (path: string) => boolean = () => false): Record<string, string> {
  const found: Record<string, string> = {}
  const visit = (path: string) => {
    for (const name of readdirSync(join(directory, path)).sort()) {
      // A name that is not UTF-8.
      if (name.includes('\ufffd')) continue
      const child = path === '' ? name : `${path}/${name}`
      if (except(child)) continue
      const stat = lstatSync(join(directory, child))
      const content = stat.isSymbolicLink()
        ? readlinkSync(join(directory, child))
        : stat.isFile()
          ? createHash('sha1')
              .update(readFileSync(join(directory, child)))
              .digest('hex')
          : ''
      const time = /(^|\/)(objects\/[0-9a-f]{2}\/|sharedindex\.)/.test(child) ? '' : stat.mtimeMs
      found[child] = `${stat.mode} ${time} ${content}`
      if (stat.isDirectory()) visit(child)
    }
  }
  visit('')
  return found
}

const NOBODY = 65_534

/** Root may read and write everything, so what is about rights is done, fixtures included, as somebody else where tests run as root. */
export async function asOrdinaryUser<T>(work: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return work()
  process.seteuid?.(NOBODY)
  try {
    return await work()
  } finally {
    process.seteuid?.(0)
  }
}

/** A program that leaves a trace if it is ever run. */
export function trap(): { command: string; sprung(): boolean } {
  const trace = join(temporary(), 'sprung')
  const command = join(temporary(), 'trap.sh')
  writeFileSync(command, `#!/bin/sh\ntouch '${trace}'\ncat\n`, { mode: 0o755 })
  return { command: `'${command}'`, sprung: () => existsSync(trace) }
}

/** Everything git may be told to run, in one configuration file. */
export const poison = (command: string) =>
  `[core]\n\tfsmonitor = ${command}\n\thooksPath = hooks\n\tpager = ${command}\n\teditor = ${command}\n\tsshCommand = ${command}\n\tattributesFile = /dev/null\n` +
  `[filter "evil"]\n\tclean = ${command}\n\tsmudge = ${command}\n\tprocess = ${command}\n\trequired = true\n` +
  `[diff "evil"]\n\ttextconv = ${command}\n\tcommand = ${command}\n[diff]\n\texternal = ${command}\n[merge "evil"]\n\tdriver = ${command}\n` +
  `[gpg]\n\tprogram = ${command}\n[commit]\n\tgpgSign = true\n[credential]\n\thelper = ${command}\n`
