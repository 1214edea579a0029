import { lstat, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import type { JobId } from '#shared/model/index.ts'
import { type Cache, JOBS_PREFIX, updateRefs } from './cache.ts'
import { type Git, type GitOptions, records } from './git.ts'
import { findRepository, type SourceRepository } from './repository.ts'
import { hasCommit } from './ship.ts'

/** A commit of another repository that a tree names at a path. */
export interface Submodule {
  readonly path: string
  readonly commit: string
}

const GITLINK = '160000 commit '

/** Submodules of one commit, without theirs. */
async function directSubmodules(git: Git, repository: GitOptions, commit: string): Promise<Submodule[]> {
  const { stdout } = await git.run(['ls-tree', '-r', '-z', '--full-tree', commit], repository)
  const links = records(stdout).filter(line => line.startsWith(GITLINK))
  return links.map(line => {
    const tab = line.indexOf('\t')
    return { path: line.slice(tab + 1), commit: line.slice(GITLINK.length, tab) }
  })
}

/** Submodules of a commit and theirs, parents first, with whether the repository has the commit. */
export async function submodulesOf(
  git: Git,
  repository: GitOptions,
  commit: string,
): Promise<(Submodule & { readonly isPresent: boolean })[]> {
  const found = []
  for (const submodule of await directSubmodules(git, repository, commit)) {
    const isPresent = await hasCommit(git, repository, submodule.commit)
    found.push({ ...submodule, isPresent })
    if (!isPresent) continue
    const inner = await submodulesOf(git, repository, submodule.commit)
    found.push(...inner.map(each => ({ ...each, path: `${submodule.path}/${each.path}` })))
  }
  return found
}

/** Keeps the commits of submodules under the job too. */
export async function keepSubmodules(git: Git, cache: Cache, jobId: JobId, submodules: readonly Submodule[]): Promise<void> {
  const commits = [...new Set(submodules.map(({ commit }) => commit))]
  await updateRefs(
    git,
    cache,
    commits.map(commit => ({ ref: moduleRef(jobId, commit), commit })),
  )
}

export const moduleRef = (jobId: JobId, commit: string) => `${JOBS_PREFIX}${jobId}/modules/${commit}`

/**
 * Finds the repositories of the submodules that are checked out in a person's work tree and hold the commit, theirs included, and hands
 * each to `ship`. Those that are absent are left out: a check-out has an empty directory there.
 */
export async function shipSubmodules(
  git: Git,
  cache: Cache,
  source: SourceRepository,
  commit: string,
  ship: (source: SourceRepository, commit: string) => Promise<void>,
): Promise<void> {
  for (const submodule of await directSubmodules(git, cache.git, commit)) {
    const found = await submoduleAt(git, source, submodule)
    if (found === null) continue
    await ship(found, submodule.commit)
    await shipSubmodules(git, cache, found, submodule.commit, ship)
  }
}

async function submoduleAt(git: Git, source: SourceRepository, submodule: Submodule): Promise<SourceRepository | null> {
  const directory = join(source.topLevel, submodule.path)
  const found = await findRepository(git, directory).catch(() => null)
  // Where the submodule is not checked out, git finds the repository around it.
  if (found === null || found.topLevel !== directory || found.objectFormat !== source.objectFormat) return null
  return (await hasCommit(git, { trust: 'user', gitDir: found.gitDir }, submodule.commit)) ? found : null
}

/** Whether it is a directory at just that place; an agent may have put a link in its stead, or in a parent's. */
export async function isDirectoryAt(top: string, path: string): Promise<boolean> {
  try {
    const directory = join(top, path)
    return (await lstat(directory)).isDirectory() && (await realpath(directory)) === join(await realpath(top), path)
  } catch {
    return false
  }
}
