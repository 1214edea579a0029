import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BASE_REF, type Cache, listRefs, updateRefs } from './cache.ts'
import type { Git, GitOptions } from './git.ts'
import { WorkspaceError } from './port.ts'

/** What travels: a git bundle, and what a bundle cannot say of a shallow clone. */
export interface Shipment {
  /** The bundle file; null when the receiver has the commit already. */
  readonly file: string | null
  readonly commit: string
  /** Name of the commit inside the bundle. */
  readonly ref: string
  /** Commits the sender has no parents of. */
  readonly shallow: readonly string[]
}

/** Commits that a receiver can build on. */
export async function commitsOf(git: Git, cache: Cache): Promise<readonly string[]> {
  return [...new Set((await listRefs(git, cache, 'refs/skein/')).map(({ commit }) => commit))]
}

/**
 * Writes a bundle of some refs, without what is reachable from `has` (of which the sender may know only some). A ref that is itself
 * reachable from there is left out.
 * @param sender a repository where the refs exist
 * @throws {GitFailure} also when nothing would be in it
 */
export async function writeBundle(
  git: Git,
  sender: GitOptions,
  refs: readonly string[],
  has: readonly string[],
  file: string,
): Promise<void> {
  await git.run(['bundle', 'create', '--quiet', file, '--ignore-missing', '--stdin'], {
    ...sender,
    stdin: [...refs, ...has.map(commit => `^${commit}`), ''].join('\n'),
  })
}

/** Puts a shipment into the cache under these refs. The caller holds the cache's gate. @throws {WorkspaceError} */
export async function receive(git: Git, cache: Cache, shipment: Shipment, into: string, base: string | null): Promise<void> {
  await mergeShallow(cache, shipment.shallow)
  if (shipment.file !== null) {
    const fetch = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-recurse-submodules', '--update-shallow']
    await git.run([...fetch, shipment.file, `+${shipment.ref}:${into}`], cache.git)
  }
  await updateRefs(git, cache, [
    { ref: into, commit: shipment.commit },
    ...(base === null ? [] : [{ ref: BASE_REF, commit: base }]),
  ])
}

/**
 * Tells the cache where a shallow sender's history ends; otherwise git calls the bundle incomplete. A cut that is there already
 * stays, even if a later sender has more: nothing here needs the older commits.
 */
export async function mergeShallow(cache: Cache, cuts: readonly string[]): Promise<void> {
  const known = await cache.shallow()
  const missing = cuts.filter(cut => !known.includes(cut))
  if (missing.length === 0) return
  await writeFile(join(cache.gitDir, 'shallow'), `${[...known, ...missing].join('\n')}\n`)
}

/** Whether the object is there, reachable or not. */
export async function hasCommit(git: Git, repository: GitOptions, commit: string): Promise<boolean> {
  const { exit } = await git.run(['cat-file', '-e', `${commit}^{commit}`], { ...repository, exits: [0, 1, 128] })
  return exit === 0
}

/** @throws {WorkspaceError} snapshot_missing */
export async function requireCommit(git: Git, cache: Cache, commit: string): Promise<void> {
  if (/^[0-9a-f]{40,64}$/.test(commit) && (await hasCommit(git, cache.git, commit))) return
  throw new WorkspaceError('snapshot_missing', `Commit ${commit} is not kept on this node any more.`, {
    remedy: 'Submit the job again: its snapshot has to be taken anew.',
  })
}
