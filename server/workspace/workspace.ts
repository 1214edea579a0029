import { access, mkdir, readdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type Clock, systemClock } from '#server/lib/clock.ts'
import type { JobId } from '#shared/model/index.ts'
import { blobsWith, readBlobs } from './blobs.ts'
import { bytesBelow, createCaches, JOBS_PREFIX, listRefs, snapshotRef, updateRefs } from './cache.ts'
import { checkOut, createIndexes } from './checkout.ts'
import { bringHome, bundleResult } from './deliver.ts'
import { changesBetween, patch } from './diff.ts'
import { createGit } from './git.ts'
import type { Workspace, WorkspaceLog } from './port.ts'
import { commitResult } from './result.ts'
import { createScratch } from './scratch.ts'
import { requireCommit } from './ship.ts'
import { takeSnapshot } from './snapshot.ts'
import { keepSubmodules, submodulesOf } from './submodules.ts'
import { haves, packSnapshot, receiveResult, receiveSnapshot } from './transfer.ts'

export interface WorkspaceDeps {
  /** Belongs to this workspace alone, one process at a time. */
  readonly directory: string
  /** The git program. Default: `git` on PATH. */
  readonly git?: string
  readonly log?: WorkspaceLog
  readonly clock?: Clock
}

/**
 * Layout of `directory`: `repos/<repositoryId>.git` the caches, `indexes/` of check-outs, `scratch/` what one operation needs, emptied
 * at the start.
 */
export function createWorkspace(deps: WorkspaceDeps): Workspace {
  const { directory, clock = systemClock } = deps
  const git = createGit(deps.git === undefined ? {} : { command: deps.git })
  const caches = createCaches(join(directory, 'repos'))
  const indexes = createIndexes(join(directory, 'indexes'))
  const scratchRoot = join(directory, 'scratch')
  const shared = { git, caches, indexes, clock, scratchRoot, ...(deps.log ? { log: deps.log } : {}) }
  const ready = tidy(directory, scratchRoot)
  ready.catch(() => {})

  const cacheWith = async (repositoryId: string, commit: string) => {
    await ready
    const cache = await caches.existing(repositoryId)
    await requireCommit(git, cache, commit)
    return cache
  }
  const jobRefs = async () => {
    await ready
    const found = []
    for (const cache of await caches.all())
      for (const { ref } of await listRefs(git, cache, JOBS_PREFIX)) found.push({ cache, ref, jobId: jobOf(ref) })
    return found
  }

  return {
    async snapshot(repository, jobId) {
      await ready
      return takeSnapshot(shared, repository, jobId)
    },
    async share(snapshot, jobId) {
      const cache = await cacheWith(snapshot.repositoryId, snapshot.commit)
      await cache.gate.shared(async () => {
        await updateRefs(git, cache, [{ ref: snapshotRef(jobId), commit: snapshot.commit }])
        const submodules = await submodulesOf(git, cache.git, snapshot.commit)
        await keepSubmodules(
          git,
          cache,
          jobId,
          submodules.filter(({ isPresent }) => isPresent),
        )
      })
    },
    async checkout(snapshot, commit, dir) {
      await ready
      const { mounts, emptySubmodules } = await checkOut(shared, snapshot, commit, dir)
      if (emptySubmodules.length > 0)
        deps.log?.warn(
          { emptySubmodules },
          'Submodules are empty in the check-out: they were not checked out where the job came from',
        )
      return { mounts }
    },
    async commitResult(input) {
      await ready
      return commitResult(shared, input)
    },
    async findInResult(snapshot, commit, needles) {
      const searched = needles.filter(needle => needle !== '').map(needle => Buffer.from(needle))
      if (searched.length === 0) return []
      const cache = await cacheWith(snapshot.repositoryId, commit)
      const changes = await changesBetween(git, cache.git, snapshot.commit, commit)
      const blobs = changes.filter(change => change.newMode.startsWith('100') || change.newMode === '120000')
      const found = await blobsWith(readBlobs(git, cache.git, [...new Set(blobs.map(blob => blob.newId))]), searched)
      const named = (path: string) => searched.some(needle => Buffer.from(path).includes(needle))
      return blobs.filter(blob => found.has(blob.newId) || named(blob.path)).map(blob => blob.path)
    },
    async *diff(snapshot, commit, signal) {
      const cache = await cacheWith(snapshot.repositoryId, commit)
      yield* patch(git, { ...cache.git, signal }, snapshot.commit, commit)
    },
    async bundle(snapshot, commit, ref, file) {
      const cache = await cacheWith(snapshot.repositoryId, commit)
      await cache.gate.shared(() => bundleResult(shared, cache, { snapshot, commit, ref, file }))
    },
    async deliver(snapshot, commit, jobId, repositoryPath) {
      const cache = await cacheWith(snapshot.repositoryId, commit)
      return cache.gate.shared(async () => {
        await using scratch = await createScratch(scratchRoot, { objectFormat: await cache.objectFormat() })
        const file = scratch.file('result.bundle')
        await bundleResult(shared, cache, { snapshot, commit, ref: `${JOBS_PREFIX}${jobId}`, file })
        return await bringHome(git, file, jobId, repositoryPath)
      })
    },
    async cached() {
      await ready
      return (await caches.all()).map(({ gitDir }) => basename(gitDir, '.git'))
    },
    async haves(repositoryId) {
      await ready
      return haves(git, caches, repositoryId)
    },
    async pack(snapshot, has, file) {
      await ready
      return packSnapshot(shared, snapshot, has, file)
    },
    async receive(file, snapshot, jobId, limits) {
      await ready
      await receiveSnapshot(shared, file, snapshot, jobId, limits)
    },
    async receiveResult(file, snapshot, jobId, epoch, limits) {
      await ready
      return receiveResult(shared, file, snapshot, { jobId, epoch }, limits)
    },
    async release(jobIds) {
      const released = new Set(jobIds)
      const refs = (await jobRefs()).filter(({ jobId }) => released.has(jobId))
      for (const cache of new Set(refs.map(ref => ref.cache)))
        await updateRefs(
          git,
          cache,
          refs.filter(entry => entry.cache === cache).map(({ ref }) => ({ ref, commit: null })),
        )
    },
    kept: async () => [...new Set((await jobRefs()).map(({ jobId }) => jobId))],
    async collect() {
      await ready
      await indexes.sweep(exists)
      // Check-outs in use borrow only what their job's refs hold, so nothing they need is pruned.
      for (const cache of await caches.all()) await cache.gate.alone(() => git.run(['gc', '--quiet', '--prune=now'], cache.git))
    },
    async totalBytes() {
      await ready
      return bytesBelow(directory)
    },
  }
}

const jobOf = (ref: string): JobId => ref.slice(JOBS_PREFIX.length).split('/', 1)[0] ?? ''

/** After a kill: what an operation left half done, and locks of git processes that are no more. */
async function tidy(directory: string, scratchRoot: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await rm(scratchRoot, { recursive: true, force: true })
  const repos = join(directory, 'repos')
  for (const repo of await readdir(repos).catch(() => [])) {
    const files = await readdir(join(repos, repo), { withFileTypes: true }).catch(() => [])
    const refs = await readdir(join(repos, repo, 'refs'), { withFileTypes: true, recursive: true }).catch(() => [])
    for (const file of [...files, ...refs])
      if (file.isFile() && (file.name.endsWith('.lock') || file.name === 'gc.pid'))
        await rm(join(file.parentPath, file.name), { force: true })
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
