import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat, writeFile } from 'node:fs/promises'
import type { JobId, Snapshot } from '#shared/model/index.ts'
import { BASE_REF, type Cache, type Caches, JOBS_PREFIX, listRefs, resultRef, snapshotRef, updateRefs } from './cache.ts'
import { type Git, GitFailure, type GitOptions } from './git.ts'
import { refuseLeavingLinks } from './links.ts'
import { WorkspaceError } from './port.ts'
import { createScratch } from './scratch.ts'
import { hasCommit, requireCommit, writeBundle } from './ship.ts'

/** Commits a receiver tells of; more would make its answer long and the bundle hardly smaller. */
const MOST_HAVES = 16
const SHIPPED_REF = 'refs/skein/shipped'
const ARRIVED_REF = 'refs/skein/arrived'
const OBJECT_ID = /^([0-9a-f]{40}|[0-9a-f]{64})$/

export interface TransferDeps {
  readonly git: Git
  readonly caches: Caches
  readonly scratchRoot: string
}

/** Commits of a repository that a sender may leave out: the last HEAD seen here, then snapshots. */
export async function haves(git: Git, caches: Caches, repositoryId: string): Promise<readonly string[]> {
  const cache = await caches.existing(repositoryId).catch(() => null)
  if (!cache) return []
  const base = await listRefs(git, cache, BASE_REF)
  const kept = await listRefs(git, cache, JOBS_PREFIX)
  const snapshots = kept.filter(({ ref }) => ref.endsWith('/snapshot'))
  return [...new Set([...base, ...snapshots.reverse()].map(({ commit }) => commit))].slice(0, MOST_HAVES)
}

/**
 * Writes a bundle of a snapshot for another node, without what is reachable from `has`. An empty file says that the other has the
 * commit itself.
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
  if (has.includes(snapshot.commit)) await writeFile(file, '', { mode: 0o600 })
  else {
    await cache.gate.shared(async () => {
      const shallow = await cache.shallow()
      await using scratch = await createScratch(scratchRoot, {
        objectFormat: await cache.objectFormat(),
        alternates: [cache.objectsDir],
        shallow,
        refs: { [SHIPPED_REF]: snapshot.commit },
      })
      const known = has.filter(commit => OBJECT_ID.test(commit))
      await writeBundle(git, { trust: 'none', gitDir: scratch.gitDir }, SHIPPED_REF, known, file)
    })
  }
  return { bytes: (await stat(file)).size, sha256: await hashOf(file) }
}

/**
 * Takes a snapshot that another node sent into the cache of its repository, and keeps it for a job. What was sent is looked at in a
 * repository of its own first, so that nothing of it stays when it is refused.
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
    if ((await stat(file)).size === 0) await requireCommit(git, cache, snapshot.commit)
    else
      await fetchChecked(
        deps,
        cache,
        { file, ref: SHIPPED_REF, commit: snapshot.commit },
        snapshotRef(jobId),
        maxBytes,
        async () => {},
      )
    const base = snapshot.base !== null && OBJECT_ID.test(snapshot.base) && (await hasCommit(git, cache.git, snapshot.base))
    await updateRefs(git, cache, [
      { ref: snapshotRef(jobId), commit: snapshot.commit },
      ...(base && snapshot.base !== null ? [{ ref: BASE_REF, commit: snapshot.base }] : []),
    ])
  })
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
    const commit = await tipOf(git, cache, file, ref)
    await fetchChecked(deps, cache, { file, ref, commit }, resultRef(job.jobId, job.epoch), maxBytes, async own => {
      const parents = await git.text(['rev-list', '--parents', '-n', '1', commit], own)
      if (parents.trim() !== `${commit} ${snapshot.commit}`) throw bad('The commit does not stand on the snapshot alone.')
      const tree = await git.text(['rev-parse', `${commit}^{tree}`], own)
      await refuseLeavingLinks(git, own, snapshot.commit, tree)
    })
    return { commit }
  })
}

/** The one commit a bundle holds, under the one name it may have. */
async function tipOf(git: Git, cache: Cache, file: string, ref: string): Promise<string> {
  const listed = await git.text(['bundle', 'list-heads', file], cache.git).catch(cause => {
    throw bad('What was sent is no git bundle.', cause)
  })
  const [commit = '', name] = listed.trim().split(' ')
  if (listed.trim().includes('\n') || name !== ref || !OBJECT_ID.test(commit))
    throw bad(`A bundle with ${ref} alone was expected.`)
  return commit
}

/** Fetches a commit into a scratch repository with every object checked, lets `judge` look, and only then into the cache. */
async function fetchChecked(
  { git, scratchRoot }: TransferDeps,
  cache: Cache,
  { file, ref, commit }: { file: string; ref: string; commit: string },
  into: string,
  maxBytes: number,
  judge: (own: GitOptions) => Promise<void>,
): Promise<void> {
  await using scratch = await createScratch(scratchRoot, {
    objectFormat: await cache.objectFormat(),
    alternates: [cache.objectsDir],
    shallow: await cache.shallow(),
  })
  const own: GitOptions = { trust: 'none', gitDir: scratch.gitDir, cwd: scratch.gitDir }
  const flags = ['--quiet', '--no-tags', '--no-write-fetch-head', '--no-recurse-submodules']
  try {
    const limits = ['-c', 'fetch.fsckObjects=true', '-c', 'transfer.fsckObjects=true', '-c', `transfer.maxSize=${maxBytes}`]
    await git.run([...limits, 'fetch', ...flags, file, `+${ref}:${ARRIVED_REF}`], own)
  } catch (cause) {
    if (!(cause instanceof GitFailure)) throw cause
    throw bad(`git refused what was sent: ${cause.stderr.trim().split('\n').slice(-2).join(' ').slice(0, 300)}`, cause)
  }
  if ((await git.text(['rev-parse', ARRIVED_REF], own)).trim() !== commit) throw bad(`The bundle does not hold ${commit}.`)
  if ((await newBytes(git, own, commit)) > maxBytes)
    throw new WorkspaceError('too_large', `What was sent unpacks to more than ${maxBytes} bytes.`)
  await refuseBadPaths(git, { ...own, indexFile: scratch.file('index') }, commit)
  await judge(own)
  await git.run(['fetch', ...flags, scratch.gitDir, `+${ARRIVED_REF}:${into}`], cache.git)
}

/**
 * Names that no tree may have (`..`, `.git` in all its spellings): what git asks of them when it makes an index. A fetch from a bundle
 * does not check objects, whatever `fetch.fsckObjects` says (git 2.39).
 */
async function refuseBadPaths(git: Git, own: GitOptions, commit: string): Promise<void> {
  try {
    await git.run(['read-tree', commit], own)
  } catch (cause) {
    if (!(cause instanceof GitFailure)) throw cause
    throw bad(`git refused a path: ${cause.stderr.trim().split('\n')[0]?.slice(0, 300)}`, cause)
  }
}

/** Sizes of the files of a commit, unpacked. */
async function newBytes(git: Git, own: GitOptions, commit: string): Promise<number> {
  const listed = await git.text(['ls-tree', '-r', '-l', '--full-tree', commit], own)
  return listed.split('\n').reduce((sum, line) => sum + (Number(line.split(/\s+/)[3]) || 0), 0)
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(file) as AsyncIterable<Uint8Array>) hash.update(piece)
  return hash.digest('hex')
}

function bad(detail: string, cause?: unknown): WorkspaceError {
  return new WorkspaceError('unsafe_path', detail, { cause, remedy: 'Retry the job, on another node (--not-on).' })
}
