import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { systemClock } from '#server/lib/clock.ts'
import { createWorkspace, type Workspace } from './index.ts'

/** A directory that goes away with the test. */
export function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), 'skein workspace-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

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
  /** Another work tree with the same objects, refs and local configuration. */
  sibling(): Repo
}

export function repoAt(path: string): Repo {
  const run = (input: string | undefined, args: string[]) =>
    execFileSync('git', ['-c', 'protocol.file.allow=always', ...args], {
      cwd: path,
      env: ENV,
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(input === undefined ? {} : { input }),
    }).replace(/\n$/, '')
  const repo: Repo = {
    path,
    git: (...args) => run(undefined, args),
    gitWith: (input, ...args) => run(input, args),
    file: name => join(path, name),
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
    workspace: createWorkspace({ directory, clock: systemClock, ...(git === undefined ? {} : { git }) }),
    place() {
      const path = join(root, `place-${++places}`)
      mkdirSync(path)
      return path
    },
  }
}

let jobs = 0
export const newJobId = () => `job${String(++jobs).padStart(11, '0')}`

/**
 * Content, mode and modification time of everything below a directory: equal before and after means nothing was touched. Times of
 * loose objects are left out: git renews them where it finds that it has what it is about to write, and nothing depends on them but
 * how soon an unused object is pruned.
 */
export function fingerprint(directory: string, except: (path: string) => boolean = () => false): Record<string, string> {
  const found: Record<string, string> = {}
  const visit = (path: string) => {
    for (const name of readdirSync(join(directory, path)).sort()) {
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
      const time = /(^|\/)objects\/[0-9a-f]{2}\//.test(child) ? '' : stat.mtimeMs
      found[child] = `${stat.mode} ${time} ${content}`
      if (stat.isDirectory()) visit(child)
    }
  }
  visit('')
  return found
}

const NOBODY = 65_534

/** Root may read and write everything, so what is about rights is done as somebody else where the tests run as root. */
export async function asOrdinaryUser<T>(directory: string, work: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return work()
  const parent = dirname(directory)
  execFileSync('chown', ['-hR', `${NOBODY}:${NOBODY}`, parent])
  process.seteuid?.(NOBODY)
  try {
    return await work()
  } finally {
    process.seteuid?.(0)
  }
}
