import { chmod, lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Git, type GitOptions, records } from './git.ts'
import { list } from './message.ts'
import { isDotGit } from './paths.ts'
import { WorkspaceError } from './port.ts'
import { filesBelow, walk } from './walk.ts'

export interface Warning {
  readonly code: string
  readonly detail: string
}

/** How a directory differs from an index. */
export interface Changes {
  /** Files and links to take over, new or changed. */
  readonly write: readonly string[]
  /** Paths that are no more. */
  readonly remove: readonly string[]
  /** Whether a symbolic link came, went or changed. */
  readonly links: boolean
  readonly newBytes: number
  readonly warnings: readonly Warning[]
}

const GITLINK = '160000'
const LINK = '120000'

/**
 * Compares a hostile directory with the index of a private repository. Git only lists here: it runs nothing, does not enter nested
 * repositories and reads no configuration but ours.
 * @param repository private git directory whose HEAD and index are the commit the directory was made from
 * @throws {WorkspaceError} unsafe_path
 */
export async function scan(git: Git, repository: GitOptions & { readonly workTree: string }): Promise<Changes> {
  const top = repository.workTree
  const oddities = await walk(top)
  const listing = ['status', '--porcelain=v2', '-z', '--untracked-files=all', '--ignore-submodules=all', '--no-renames']
  const entries = records((await git.run(listing, repository)).stdout)
  const warnings: Warning[] = []
  const write: string[] = []
  const remove: string[] = []
  const submodules: string[] = []
  let links = false
  let newBytes = 0

  const consider = async (path: string, tracked: boolean) => {
    const found = await lstat(join(top, path)).catch(() => null)
    if (found?.isFile()) {
      if ((found.mode & 0o400) === 0) await chmod(join(top, path), (found.mode & 0o777) | 0o400)
      newBytes += found.size
      write.push(path)
    } else if (found?.isSymbolicLink()) {
      links = true
      newBytes += found.size
      write.push(path)
    } else if (tracked) remove.push(path)
  }

  for (const entry of entries) {
    if (entry.startsWith('? ')) {
      const path = entry.slice(2)
      // A trailing slash says: a repository of its own, which git would record as a link to a commit nobody else has.
      if (!path.endsWith('/')) await consider(path, false)
      continue
    }
    const change = parseChange(entry)
    if (change === null) continue
    if (change.indexMode === GITLINK) {
      submodules.push(change.path)
      continue
    }
    links ||= change.indexMode === LINK
    await consider(change.path, true)
  }
  for (const path of await filesOfNested(git, repository, entries)) await consider(path, false)

  refuseDotGit(write)
  if (oddities.nested.length > 0)
    warnings.push({
      code: 'nested_repository',
      detail: `Repositories inside the work tree were taken as plain files, without their history: ${list(oddities.nested)}.`,
    })
  const special = await notIgnored(git, repository, oddities.special)
  if (special.length > 0)
    warnings.push({ code: 'special_file', detail: `Pipes, sockets and devices were left out: ${list(special)}.` })
  if (submodules.length > 0)
    warnings.push({ code: 'submodule_changed', detail: `Changes to submodules are not part of the result: ${list(submodules)}.` })
  return { write, remove, links, newBytes, warnings }
}

/** `1 XY sub mH mI mW hH hI path` of `git status --porcelain=v2`. */
function parseChange(entry: string): { path: string; indexMode: string } | null {
  const fields = entry.split(' ')
  const [kind, , , , indexMode] = fields
  if (kind !== '1' || indexMode === undefined) return null
  return { indexMode, path: fields.slice(8).join(' ') }
}

async function filesOfNested(
  git: Git,
  repository: GitOptions & { readonly workTree: string },
  entries: readonly string[],
): Promise<string[]> {
  const directories = entries.filter(entry => entry.startsWith('? ') && entry.endsWith('/')).map(entry => entry.slice(2, -1))
  const files = (await Promise.all(directories.map(directory => filesBelow(repository.workTree, directory)))).flat()
  return notIgnored(git, repository, files)
}

async function notIgnored(git: Git, repository: GitOptions, paths: readonly string[]): Promise<string[]> {
  if (paths.length === 0) return []
  const { stdout } = await git.run(['check-ignore', '-z', '--stdin'], { ...repository, exits: [0, 1], stdin: paths.join('\0') })
  const ignored = new Set(records(stdout))
  return paths.filter(path => !ignored.has(path))
}

function refuseDotGit(paths: readonly string[]): void {
  const unsafe = paths.filter(path => path.split('/').some(isDotGit))
  if (unsafe.length === 0) return
  throw new WorkspaceError('unsafe_path', `The result holds names that some file systems take for .git: ${list(unsafe)}.`, {
    paths: unsafe.slice(0, 100),
    remedy: 'Look at what the agent did in the job log; such files are never meant well.',
  })
}
