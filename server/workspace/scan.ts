import { chmod, lstat } from 'node:fs/promises'
import { type Git, type GitOptions, quoteC, rawRecords } from './git.ts'
import { list } from './message.ts'
import { isDotGit } from './paths.ts'
import { WorkspaceError } from './port.ts'
import { absolute, filesBelow, type RawPath, walk } from './walk.ts'

export interface Warning {
  readonly code: string
  readonly detail: string
}

/** How a directory differs from an index. */
export interface Changes {
  /** Files and links to take over, new or changed. */
  readonly write: readonly RawPath[]
  /** Paths that are no more. */
  readonly remove: readonly RawPath[]
  /** Id in the index of files of which only the content seems to differ, by path. */
  readonly committed: ReadonlyMap<string, string>
  /** Whether a symbolic link came, went or changed. */
  readonly links: boolean
  /** Size of what is to be taken over. */
  readonly newBytes: number
  readonly warnings: readonly Warning[]
}

/** A private git directory whose HEAD and index are the commit that the work tree was made from. */
export type HostileTree = GitOptions & { readonly workTree: string }

const GITLINK = '160000'
const LINK = '120000'

/**
 * Compares a hostile directory with the index of a private repository. Git only lists here: it runs nothing, does not enter nested
 * repositories and reads no configuration but ours.
 * @param submodulePaths directories that hold a `.git` of ours
 * @throws {WorkspaceError} unsafe_path
 */
export async function scan(git: Git, tree: HostileTree, submodulePaths: ReadonlySet<string>): Promise<Changes> {
  const oddities = await walk(tree.workTree)
  const { tracked, untracked, nested } = await differences(git, tree)
  const inNested = (await Promise.all(nested.map(directory => filesBelow(tree.workTree, directory)))).flat()
  const files = tracked.filter(({ indexMode }) => indexMode !== GITLINK)
  const added = [...untracked, ...(await notIgnored(git, tree, inNested))]
  const sorted = await sort(tree.workTree, [...files.map(({ path }) => path), ...added])
  refuseDotGit(sorted.write)
  return {
    ...sorted,
    committed: new Map(
      files.filter(({ mode, indexMode }) => mode === indexMode && mode !== LINK).map(({ path, indexId }) => [key(path), indexId]),
    ),
    links: sorted.links || files.some(({ indexMode }) => indexMode === LINK),
    warnings: warningsOf({
      nested: oddities.nested.filter(path => !submodulePaths.has(path.toString())),
      special: await notIgnored(git, tree, oddities.special),
    }),
  }
}

/** Whether anything in the directory differs from the index, but for what is ignored. */
export async function isChanged(git: Git, tree: HostileTree): Promise<boolean> {
  const { tracked, untracked, nested } = await differences(git, tree)
  return tracked.length + untracked.length + nested.length > 0
}

interface TrackedChange {
  readonly path: RawPath
  readonly indexMode: string
  readonly indexId: string
  readonly mode: string
}

interface Differences {
  readonly tracked: readonly TrackedChange[]
  readonly untracked: readonly RawPath[]
  /** Untracked repositories, which git would record as a link to a commit that nobody else has. */
  readonly nested: readonly RawPath[]
}

async function differences(git: Git, tree: HostileTree): Promise<Differences> {
  const command = ['status', '--porcelain=v2', '-z', '--untracked-files=all', '--ignore-submodules=all', '--no-renames']
  const entries = rawRecords((await git.run(command, tree)).stdout)
  const untracked = entries.filter(entry => entry.toString('latin1', 0, 2) === '? ').map(entry => entry.subarray(2))
  const isDirectory = (path: RawPath) => path.at(-1) === '/'.charCodeAt(0)
  return {
    tracked: entries.filter(entry => entry.toString('latin1', 0, 2) === '1 ').map(parseChange),
    untracked: untracked.filter(path => !isDirectory(path)),
    nested: untracked.filter(isDirectory).map(path => path.subarray(0, -1)),
  }
}

/** `1 XY sub mH mI mW hH hI path` of `git status --porcelain=v2`. */
function parseChange(entry: Buffer): TrackedChange {
  let start = 0
  const fields: string[] = []
  while (fields.length < 8) {
    const space = entry.indexOf(' ', start)
    fields.push(entry.toString('latin1', start, space))
    start = space + 1
  }
  const [, , , , indexMode = '', mode = '', , indexId = ''] = fields
  return { path: entry.subarray(start), indexMode, indexId, mode }
}

/** Tells what is there from what is gone, and makes files readable for us. */
async function sort(top: string, paths: readonly RawPath[]): Promise<Pick<Changes, 'write' | 'remove' | 'links' | 'newBytes'>> {
  const write: RawPath[] = []
  const remove: RawPath[] = []
  let links = false
  let newBytes = 0
  for (const path of paths) {
    const found = await lstat(absolute(top, path)).catch(() => null)
    if (!found?.isFile() && !found?.isSymbolicLink()) {
      remove.push(path)
      continue
    }
    if (found.isFile() && (found.mode & 0o400) === 0) await chmod(absolute(top, path), (found.mode & 0o777) | 0o400)
    links ||= found.isSymbolicLink()
    newBytes += found.size
    write.push(path)
  }
  return { write, remove, links, newBytes }
}

/**
 * Of changed files, those whose bytes are not just what is committed. A file whose line ends are committed against its attributes
 * passes for changed as soon as git looks into it; taking it over would rewrite what nobody touched.
 */
export async function reallyChanged(git: Git, tree: HostileTree, changes: Changes): Promise<readonly RawPath[]> {
  const known = changes.write.filter(path => changes.committed.has(key(path)))
  if (known.length === 0) return changes.write
  const stdin = Buffer.concat(known.flatMap(path => [quoted(path), NEW_LINE]))
  const ids = (await git.text(['hash-object', '--no-filters', '--stdin-paths'], { ...tree, stdin })).split('\n')
  const same = new Set(known.map(key).filter((path, index) => changes.committed.get(path) === ids[index]))
  return changes.write.filter(path => !same.has(key(path)))
}

const key = (path: RawPath) => path.toString('latin1')
const NEW_LINE = Buffer.from('\n')

/** Git's C-style quoting: a line break in a name must not end the line. */
function quoted(path: RawPath): Buffer {
  return Buffer.from(quoteC(key(path)), 'latin1')
}

async function notIgnored(git: Git, tree: HostileTree, paths: readonly RawPath[]): Promise<RawPath[]> {
  if (paths.length === 0) return []
  const { stdout } = await git.run(['check-ignore', '-z', '--stdin'], { ...tree, exits: [0, 1], stdin: terminated(paths) })
  const ignored = new Set(rawRecords(stdout).map(path => path.toString('latin1')))
  return paths.filter(path => !ignored.has(path.toString('latin1')))
}

function refuseDotGit(paths: readonly RawPath[]): void {
  const unsafe = paths.map(String).filter(path => path.split('/').some(isDotGit))
  if (unsafe.length === 0) return
  throw new WorkspaceError('unsafe_path', `The result holds names that some file systems take for .git: ${list(unsafe)}.`, {
    paths: unsafe.slice(0, 100),
    remedy: 'Look at what the agent did in the job log; such files are never meant well.',
  })
}

function warningsOf(found: { nested: readonly RawPath[]; special: readonly RawPath[] }): Warning[] {
  const warning = (code: string, paths: readonly RawPath[], sentence: string): Warning[] =>
    paths.length === 0 ? [] : [{ code, detail: `${sentence}: ${list(paths.map(String))}.` }]
  return [
    ...warning(
      'nested_repository',
      found.nested,
      'Repositories inside the work tree were taken as plain files, without their history',
    ),
    ...warning('special_file', found.special, 'Pipes, sockets and devices were left out'),
  ]
}

/** Input for commands with `-z --stdin`. */
export function terminated(paths: readonly RawPath[]): Buffer {
  return Buffer.concat(paths.flatMap(path => [path, NUL]))
}

const NUL = Buffer.from([0])
