import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Snapshot } from '#shared/model/index.ts'
import type { Cache, Caches } from './cache.ts'
import type { Git } from './git.ts'
import { copyIndex } from './index-file.ts'
import { writeGitDirectory } from './scratch.ts'
import { requireCommit } from './ship.ts'
import { submodulesOf } from './submodules.ts'

/** Index files of check-outs, on the host and out of a sandbox's reach: a result is compared with them and never with `dir/.git`. */
export interface Indexes {
  keep(dir: string, commit: string, indexFile: string): Promise<void>
  /** Copies the index of that commit in `dir` to `target`. @returns whether there was one */
  take(dir: string, commit: string, target: string): Promise<boolean>
  forget(dir: string): Promise<void>
  /** Drops those whose directory is gone. */
  sweep(exists: (dir: string) => Promise<boolean>): Promise<void>
}

export function createIndexes(root: string): Indexes {
  const folder = (dir: string) => join(root, createHash('sha256').update(dir).digest('hex').slice(0, 32))
  return {
    async keep(dir, commit, indexFile) {
      await mkdir(folder(dir), { recursive: true, mode: 0o700 })
      await writeFile(join(folder(dir), 'directory'), dir)
      await copyIndex(indexFile, join(folder(dir), commit))
    },
    take: (dir, commit, target) => copyIndex(join(folder(dir), commit), target),
    forget: dir => rm(folder(dir), { recursive: true, force: true }),
    async sweep(exists) {
      for (const name of await readdir(root).catch(() => [])) {
        const dir = await readFile(join(root, name, 'directory'), 'utf8').catch(() => null)
        if (dir === null || !(await exists(dir))) await rm(join(root, name), { recursive: true, force: true })
      }
    },
  }
}

const BRANCH = 'skein'

/** An identity, so that an agent can commit; nothing that leads out of the directory. */
const CONFIG = [
  '[core]',
  '\tbare = false',
  '\tlogAllRefUpdates = true',
  '[user]',
  '\tname = Skein',
  '\temail = skein@localhost',
  '[commit]',
  '\tgpgSign = false',
  '[gc]',
  '\tauto = 0',
  '',
].join('\n')

export interface CheckOut {
  /** Host directories the work tree needs, at the same path. */
  readonly mounts: readonly string[]
  /** Paths of submodules that are empty, because this node does not have their commits. */
  readonly emptySubmodules: readonly string[]
}

/** Makes `dir`, which is empty, a work tree of the commit. Filters are not run: a Git LFS file stays its pointer. */
export async function checkOut(
  deps: { git: Git; caches: Caches; indexes: Indexes },
  snapshot: Snapshot,
  commit: string,
  dir: string,
): Promise<CheckOut> {
  const { git, indexes } = deps
  const cache = await deps.caches.existing(snapshot.repositoryId)
  return cache.gate.shared(async () => {
    await requireCommit(git, cache, commit)
    await populate(git, indexes, cache, commit, dir)
    const submodules = await submodulesOf(git, cache.git, commit)
    for (const { path, commit: pinned, isPresent } of submodules)
      if (isPresent) await populate(git, indexes, cache, pinned, join(dir, path))
    const emptySubmodules = submodules.filter(({ isPresent }) => !isPresent).map(({ path }) => path)
    return { mounts: [cache.objectsDir], emptySubmodules }
  })
}

async function populate(git: Git, indexes: Indexes, cache: Cache, commit: string, dir: string): Promise<void> {
  const gitDir = join(dir, '.git')
  await writeGitDirectory(gitDir, {
    objectFormat: await cache.objectFormat(),
    alternates: [cache.objectsDir],
    shallow: await cache.shallow(),
    head: `ref: refs/heads/${BRANCH}`,
    refs: { [`refs/heads/${BRANCH}`]: commit },
    config: CONFIG,
  })
  await git.run(['read-tree', '--reset', '-u', commit], { trust: 'none', gitDir, workTree: dir })
  await indexes.keep(dir, commit, join(gitDir, 'index'))
}
