import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat, writeFile } from 'node:fs/promises'
import type { JobId, Snapshot } from '#shared/model/index.ts'
import {
  BASE_MODULES_PREFIX,
  BASE_REF,
  type Cache,
  type Caches,
  JOBS_PREFIX,
  listRefs,
  resultRef,
  snapshotRef,
  updateRefs,
} from './cache.ts'
import { bad, fetchChecked, headsOf, OBJECT_ID } from './checked-fetch.ts'
import { type Git, GitFailure } from './git.ts'
import { refuseLeavingLinks } from './links.ts'
import { createScratch } from './scratch.ts'
import { hasCommit, requireCommit, writeBundle } from './ship.ts'
import { moduleRef, submodulesOf } from './submodules.ts'

/** Commits a receiver tells of; more would make its answer long and the bundle hardly smaller. */
const MOST_HAVES = 16
/** Names in a bundle: the snapshot, its submodules and theirs, and commits the sender has no parents of. */
const SHIPPED_REF = 'refs/skein/shipped'
const MODULE_PREFIX = 'refs/skein/modules/'
const CUT_PREFIX = 'refs/skein/cuts/'
/** Submodules that travel with a snapshot. */
const MOST_MODULES = 256

export interface TransferDeps {
  readonly git: Git
  readonly caches: Caches
  readonly scratchRoot: string
}

/** Commits of a repository that a sender may leave out: the last HEAD seen here and its submodules, then snapshots. */
export async function haves(git: Git, caches: Caches, repositoryId: string): Promise<readonly string[]> {
  const cache = await caches.existing(repositoryId).catch(() => null)
  if (!cache) return []
  const base = await listRefs(git, cache, BASE_REF)
  const modules = await listRefs(git, cache, BASE_MODULES_PREFIX)
  const kept = await listRefs(git, cache, JOBS_PREFIX)
  const snapshots = kept.filter(({ ref }) => ref.endsWith('/snapshot'))
  return [...new Set([...base, ...modules, ...snapshots.reverse()].map(({ commit }) => commit))].slice(0, MOST_HAVES)
}

/**
 * Writes a bundle of a snapshot and the submodules this node has of it for another node, without what is reachable from `has`. An
 * empty file says that the other has all of it.
 */
export async function packSnapshot(
  deps: TransferDeps,
  snapshot: Snapshot,
  has: readonly string[],
  file: string,
): Promise<{ bytes: number; sha256: string }> {
  const { git, caches, scratchRoot } = deps
  const cache = await caches.existing(snapshot.repositoryId)
  await requireCommit(git, cache, snapshot.commit)
  await cache.gate.shared(async () => {
    const shallow = await cache.shallow()
    const submodules = (await submodulesOf(git, cache.git, snapshot.commit)).filter(({ isPresent }) => isPresent)
    const pinned = [...new Set(submodules.map(({ commit }) => commit))].slice(0, MOST_MODULES)
    const commits: Record<string, string> = { [SHIPPED_REF]: snapshot.commit, ...named(MODULE_PREFIX, pinned) }
    const known = has.filter(commit => OBJECT_ID.test(commit))
    const missing = Object.keys(commits).filter(ref => !known.includes(commits[ref] ?? ''))
    if (missing.length === 0) return await writeFile(file, '', { mode: 0o600 })
    await using scratch = await createScratch(scratchRoot, {
      objectFormat: await cache.objectFormat(),
      alternates: [cache.objectsDir],
      shallow,
      refs: { ...commits, ...named(CUT_PREFIX, shallow) },
    })
    const write = (refs: readonly string[], without: readonly string[]) =>
      writeBundle(git, { trust: 'none', gitDir: scratch.gitDir }, refs, without, file)
    const cuts = Object.keys(named(CUT_PREFIX, shallow))
    // Where all of it is older than what the other has, git makes no bundle of nothing.
    await write([...missing, ...cuts], known).catch(async cause => {
      if (!(cause instanceof GitFailure)) throw cause
      await write([...Object.keys(commits), ...cuts], [])
    })
  })
  return { bytes: (await stat(file)).size, sha256: await hashOf(file) }
}

const named = (prefix: string, commits: readonly string[]): Record<string, string> =>
  Object.fromEntries(commits.map(commit => [`${prefix}${commit}`, commit]))

/**
 * Takes a snapshot that another node sent into the cache of its repository, and keeps it and its submodules for a job. What was sent
 * is looked at in a repository of its own first, so that nothing of it stays when it is refused.
 * @throws {WorkspaceError}
 */
export async function receiveSnapshot(
  deps: TransferDeps,
  file: string,
  snapshot: Snapshot,
  jobId: JobId,
  { maxBytes }: { maxBytes: number },
): Promise<void> {
  if (!OBJECT_ID.test(snapshot.commit)) throw bad(`"${snapshot.commit.slice(0, 80)}" names no commit.`)
  const { git } = deps
  const cache = await deps.caches.open(snapshot.repositoryId, snapshot.commit.length === 64 ? 'sha256' : 'sha1')
  await cache.gate.shared(async () => {
    const heads = (await stat(file)).size === 0 ? new Map<string, string>() : await headsOf(git, cache, file)
    const { modules, cuts, isSnapshotIn } = sorted(heads, snapshot)
    const arriving = [
      ...(isSnapshotIn ? [{ ref: SHIPPED_REF, commit: snapshot.commit, into: snapshotRef(jobId) }] : []),
      ...modules.map(commit => ({ ref: `${MODULE_PREFIX}${commit}`, commit, into: moduleRef(jobId, commit) })),
    ]
    if (!isSnapshotIn) await requireCommit(git, cache, snapshot.commit)
    if (arriving.length > 0)
      await fetchChecked(deps, cache, { file, arriving, cuts }, maxBytes, async own => {
        const pinned = new Set((await submodulesOf(git, own, snapshot.commit)).map(({ commit }) => commit))
        const stranger = modules.find(commit => !pinned.has(commit))
        if (stranger) throw bad(`The bundle holds ${stranger}, which the snapshot does not name.`)
      })
    await keep(git, cache, snapshot, jobId)
  })
}

/** What the names in a bundle mean. @throws {WorkspaceError} when one of them means nothing */
function sorted(heads: ReadonlyMap<string, string>, snapshot: Snapshot) {
  const modules: string[] = []
  const cuts: string[] = []
  let isSnapshotIn = false
  for (const [ref, commit] of heads) {
    if (ref === SHIPPED_REF && commit === snapshot.commit) isSnapshotIn = true
    else if (ref === `${MODULE_PREFIX}${commit}` && modules.length < MOST_MODULES) modules.push(commit)
    else if (ref === `${CUT_PREFIX}${commit}`) cuts.push(commit)
    else throw bad(`The bundle holds ${commit} as "${ref.slice(0, 100)}", which was not asked for.`)
  }
  return { modules, cuts, isSnapshotIn }
}

/** Keeps a snapshot and its submodules for a job, and for the next snapshot to build on. */
async function keep(git: Git, cache: Cache, snapshot: Snapshot, jobId: JobId): Promise<void> {
  const { base } = snapshot
  const hasBase = base !== null && OBJECT_ID.test(base) && (await hasCommit(git, cache.git, base))
  const submodules = (await submodulesOf(git, cache.git, snapshot.commit)).filter(({ isPresent }) => isPresent)
  const modules = [...new Set(submodules.map(({ commit }) => commit))]
  const before = await listRefs(git, cache, BASE_MODULES_PREFIX)
  await updateRefs(git, cache, [
    { ref: snapshotRef(jobId), commit: snapshot.commit },
    ...(hasBase ? [{ ref: BASE_REF, commit: base }] : []),
    ...before.filter(({ commit }) => !modules.includes(commit)).map(({ ref }) => ({ ref, commit: null })),
    ...modules.flatMap(commit => [
      { ref: moduleRef(jobId, commit), commit },
      { ref: `${BASE_MODULES_PREFIX}${commit}`, commit },
    ]),
  ])
}

/** Takes the result of an attempt on another node: one commit on top of the snapshot. @throws {WorkspaceError} */
export async function receiveResult(
  deps: TransferDeps,
  file: string,
  snapshot: Snapshot,
  job: { jobId: JobId; epoch: number },
  { maxBytes }: { maxBytes: number },
): Promise<{ commit: string }> {
  const { git, caches } = deps
  const cache = await caches.existing(snapshot.repositoryId)
  return cache.gate.shared(async () => {
    const ref = `${JOBS_PREFIX}${job.jobId}`
    const heads = await headsOf(git, cache, file)
    const commit = heads.get(ref)
    if (commit === undefined || heads.size > 1) throw bad(`A bundle with ${ref} alone was expected.`)
    const arriving = [{ ref, commit, into: resultRef(job.jobId, job.epoch) }]
    await fetchChecked(deps, cache, { file, arriving, cuts: [] }, maxBytes, async own => {
      const parents = await git.text(['rev-list', '--parents', '-n', '1', commit], own)
      if (parents.trim() !== `${commit} ${snapshot.commit}`) throw bad('The commit does not stand on the snapshot alone.')
      const tree = await git.text(['rev-parse', `${commit}^{tree}`], own)
      await refuseLeavingLinks(git, own, snapshot.commit, tree)
    })
    return { commit }
  })
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(file) as AsyncIterable<Uint8Array>) hash.update(piece)
  return hash.digest('hex')
}
