import type { Cache } from './cache.ts'
import { type Git, GitFailure, type GitOptions } from './git.ts'
import { WorkspaceError } from './port.ts'
import { createScratch } from './scratch.ts'
import { mergeShallow } from './ship.ts'

const ARRIVED_PREFIX = 'refs/skein/arrived/'
export const OBJECT_ID = /^([0-9a-f]{40}|[0-9a-f]{64})$/

/** A commit in a bundle that another node sent: under which name it is there, and under which the cache keeps it. */
export interface Arriving {
  readonly ref: string
  readonly commit: string
  readonly into: string
}

export const bad = (detail: string, cause?: unknown): WorkspaceError =>
  new WorkspaceError('unsafe_path', detail, { cause, remedy: 'Retry the job, on another node (--not-on).' })

/** The names in a bundle and their commits. @throws {WorkspaceError} */
export async function headsOf(git: Git, cache: Cache, file: string): Promise<Map<string, string>> {
  const listed = await git.text(['bundle', 'list-heads', file], cache.git).catch(cause => {
    throw bad('What was sent is no git bundle.', cause)
  })
  const heads = new Map<string, string>()
  for (const line of listed.split('\n').filter(Boolean)) {
    const [commit = '', name = ''] = line.split(' ')
    if (!OBJECT_ID.test(commit)) throw bad('What was sent is no git bundle.')
    heads.set(name, commit)
  }
  return heads
}

/**
 * Fetches commits into a scratch repository with every object checked, lets `judge` look, and only then into the cache, so that
 * nothing of what is refused stays.
 * @param cuts commits the sender has no parents of
 * @throws {WorkspaceError}
 */
export async function fetchChecked(
  { git, scratchRoot }: { git: Git; scratchRoot: string },
  cache: Cache,
  bundle: { file: string; arriving: readonly Arriving[]; cuts: readonly string[] },
  maxBytes: number,
  judge: (own: GitOptions) => Promise<void>,
): Promise<void> {
  const { file, arriving, cuts } = bundle
  const known = await cache.shallow()
  await using scratch = await createScratch(scratchRoot, {
    objectFormat: await cache.objectFormat(),
    alternates: [cache.objectsDir],
    shallow: [...known, ...cuts.filter(cut => !known.includes(cut))],
  })
  const own: GitOptions = { trust: 'none', gitDir: scratch.gitDir, cwd: scratch.gitDir }
  const flags = ['--quiet', '--no-tags', '--no-write-fetch-head', '--no-recurse-submodules']
  const aside = (index: number) => `${ARRIVED_PREFIX}${index}`
  try {
    const limits = ['-c', 'fetch.fsckObjects=true', '-c', 'transfer.fsckObjects=true', '-c', `transfer.maxSize=${maxBytes}`]
    await git.run([...limits, 'fetch', ...flags, file, ...arriving.map(({ ref }, index) => `+${ref}:${aside(index)}`)], own)
  } catch (cause) {
    if (!(cause instanceof GitFailure)) throw cause
    throw bad(`git refused what was sent: ${cause.stderr.trim().split('\n').slice(-2).join(' ').slice(0, 300)}`, cause)
  }
  let bytes = 0
  for (const [index, { commit }] of arriving.entries()) {
    if ((await git.text(['rev-parse', aside(index)], own)).trim() !== commit) throw bad(`The bundle does not hold ${commit}.`)
    bytes += await unpackedBytes(git, own, commit)
    if (bytes > maxBytes) throw new WorkspaceError('too_large', `What was sent unpacks to more than ${maxBytes} bytes.`)
    await refuseBadPaths(git, { ...own, indexFile: scratch.file(`index-${index}`) }, commit)
  }
  await judge(own)
  await mergeShallow(cache, cuts)
  await git.run(
    ['fetch', ...flags, '--update-shallow', scratch.gitDir, ...arriving.map(({ into }, index) => `+${aside(index)}:${into}`)],
    cache.git,
  )
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
async function unpackedBytes(git: Git, own: GitOptions, commit: string): Promise<number> {
  const listed = await git.text(['ls-tree', '-r', '-l', '--full-tree', commit], own)
  return listed.split('\n').reduce((sum, line) => sum + (Number(line.split(/\s+/)[3]) || 0), 0)
}
