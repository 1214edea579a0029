import type { Clock } from '#server/lib/clock.ts'
import type { JobId, RepositoryRef, Snapshot } from '#shared/model/index.ts'
import { type Cache, type Caches, repositoryIdOf, snapshotRef } from './cache.ts'
import { captureWorkTree } from './capture.ts'
import type { Git, GitOptions } from './git.ts'
import type { WorkspaceLog } from './port.ts'
import { findRepository, type SourceRepository } from './repository.ts'
import { createScratch, type GitDirectoryContent, type Scratch } from './scratch.ts'
import { commitsOf, receive, type Shipment, writeBundle } from './ship.ts'
import { moduleRef, shipSubmodules } from './submodules.ts'

export interface SnapshotDeps {
  readonly git: Git
  readonly caches: Caches
  readonly clock: Clock
  readonly scratchRoot: string
  readonly log?: WorkspaceLog
}

/** Name of the snapshot inside its bundle. */
const SHIPPED_REF = 'refs/skein/snapshot'

/** Captures the repository, ships the commit to the cache and keeps it there under the job's id. */
export async function takeSnapshot(deps: SnapshotDeps, repository: RepositoryRef, jobId: JobId): Promise<Snapshot> {
  const source = await findRepository(deps.git, repository.path)
  const repositoryId = repositoryIdOf(source)
  const cache = await deps.caches.open(repositoryId, source.objectFormat)
  const commit = await cache.gate.shared(async () => {
    await using scratch = await createScratch(deps.scratchRoot, scratchOf(source, cache))
    const captured = await commitOf(deps, source, scratch, repository.include)
    await ship(deps, cache, { source, scratch, commit: captured, ref: snapshotRef(jobId), base: source.head?.commit ?? null })
    await shipSubmodules(deps.git, cache, source, captured, async (submodule, pinned) => {
      await using aside = await createScratch(deps.scratchRoot, scratchOf(submodule, cache))
      await ship(deps, cache, { source: submodule, scratch: aside, commit: pinned, ref: moduleRef(jobId, pinned), base: null })
    })
    return captured
  })
  return {
    commit,
    base: source.head?.commit ?? null,
    dirty: commit !== source.head?.commit && repository.include === 'changes',
    repositoryId,
    branch: source.branch,
  }
}

/** Reads the cache's objects too: what an earlier snapshot brought need not travel again. */
function scratchOf(source: SourceRepository, cache: Cache): GitDirectoryContent {
  return { objectFormat: source.objectFormat, alternates: [source.objectsDir, cache.objectsDir], shallow: source.shallow }
}

/** HEAD itself where nothing differs from it, else one commit on top of it. */
async function commitOf(
  deps: SnapshotDeps,
  source: SourceRepository,
  scratch: Scratch,
  include: RepositoryRef['include'],
): Promise<string> {
  const { head } = source
  if (include === 'head' && head) return head.commit
  const own: GitOptions = { trust: 'none', gitDir: scratch.gitDir, indexFile: scratch.file('index') }
  const tree =
    include === 'head'
      ? await deps.git.text(['write-tree'], own)
      : (await captureWorkTree(deps, source, { objectsDir: scratch.objectsDir, indexFile: scratch.file('index') })).tree
  if (head?.tree === tree) return head.commit
  const date = `${Math.floor(deps.clock.now() / 1000)} +0000`
  return deps.git.text(['commit-tree', tree, ...(head ? ['-p', head.commit] : []), '-m', 'Snapshot of uncommitted changes'], {
    ...own,
    env: { GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date },
  })
}

interface Parcel {
  readonly source: SourceRepository
  /** Has the commit, and reads the source's objects. */
  readonly scratch: Scratch
  readonly commit: string
  /** Where the cache keeps it. */
  readonly ref: string
  /** The person's HEAD, for the cache to build on; null where it is not to be kept. */
  readonly base: string | null
}

/**
 * Ships thin first. Where the cache turns out not to have what its refs promise (a cut history of a once shallow clone), everything
 * is sent.
 */
async function ship(deps: SnapshotDeps, cache: Cache, parcel: Parcel): Promise<void> {
  const { git } = deps
  const has = await commitsOf(git, cache)
  try {
    await receive(git, cache, await pack(git, parcel, has), parcel.ref, parcel.base)
  } catch (cause) {
    if (has.length === 0) throw cause
    deps.log?.warn({ cause }, 'A thin bundle was refused; sending the whole history')
    await receive(git, cache, await pack(git, parcel, []), parcel.ref, parcel.base)
  }
}

async function pack(git: Git, { source, scratch, commit }: Parcel, has: readonly string[]): Promise<Shipment> {
  const shipment = { commit, ref: SHIPPED_REF, shallow: source.shallow }
  if (has.includes(commit)) return { ...shipment, file: null }
  const own: GitOptions = { trust: 'none', gitDir: scratch.gitDir }
  await git.run(['update-ref', SHIPPED_REF, commit], own)
  const file = scratch.file('snapshot.bundle')
  await writeBundle(git, own, [SHIPPED_REF], has, file)
  return { ...shipment, file }
}
