import { createHash } from 'node:crypto'
import { access, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { JobId } from '#shared/model/index.ts'
import { createGate, type Gate } from './gate.ts'
import type { Git, GitOptions } from './git.ts'
import { WorkspaceError } from './port.ts'
import type { ObjectFormat, SourceRepository } from './repository.ts'
import { writeGitDirectory } from './scratch.ts'

/**
 * One bare repository for each repository that jobs came from. Refs in it:
 * `refs/skein/base` the last HEAD seen, so that the next snapshot ships little even when no job is kept, and of what other nodes sent
 * `refs/skein/base-modules/<commit>` the same for its submodules;
 * `refs/skein/jobs/<job>/snapshot`, `refs/skein/jobs/<job>/result-<epoch>`, and for submodules `refs/skein/jobs/<job>/modules/<commit>`.
 */
export interface Cache {
  readonly gitDir: string
  readonly objectsDir: string
  /** Guards against `collect` removing what was written but has no ref yet. */
  readonly gate: Gate
  readonly git: GitOptions
  objectFormat(): Promise<ObjectFormat>
  /** Commits whose parents the cache does not have. */
  shallow(): Promise<readonly string[]>
}

export interface Caches {
  /** The cache of a repository, made if there is none. */
  open(repositoryId: string, objectFormat: ObjectFormat): Promise<Cache>
  /** @throws {WorkspaceError} snapshot_missing */
  existing(repositoryId: string): Promise<Cache>
  all(): Promise<readonly Cache[]>
}

export const BASE_REF = 'refs/skein/base'
export const BASE_MODULES_PREFIX = 'refs/skein/base-modules/'
export const JOBS_PREFIX = 'refs/skein/jobs/'
export const snapshotRef = (jobId: JobId) => `${JOBS_PREFIX}${jobId}/snapshot`
export const resultRef = (jobId: JobId, epoch: number) => `${JOBS_PREFIX}${jobId}/result-${epoch}`

/** Written last, so that a cache that a kill left half made is made again. */
const COMPLETE = 'complete'
const REPOSITORY_ID = /^[a-z0-9][a-z0-9-]{0,63}$/

/** Stable while the repository stays where it is; linked work trees share one. Readable for people, safe as a file name. */
export function repositoryIdOf(source: Pick<SourceRepository, 'commonDir' | 'objectFormat'>): string {
  const folder = basename(source.commonDir) === '.git' ? basename(dirname(source.commonDir)) : basename(source.commonDir)
  const name = folder
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 30)
    .replace(/-+$/, '')
  const hash = createHash('sha256').update(`${source.objectFormat}\0${source.commonDir}`).digest('hex').slice(0, 20)
  return name === '' ? hash : `${name}-${hash}`
}

export function createCaches(root: string): Caches {
  const gates = new Map<string, Gate>()
  const gateOf = (repositoryId: string) => {
    const gate = gates.get(repositoryId) ?? createGate()
    gates.set(repositoryId, gate)
    return gate
  }
  const directoryOf = (repositoryId: string) => {
    if (!REPOSITORY_ID.test(repositoryId))
      throw new WorkspaceError('snapshot_missing', `"${repositoryId}" names no repository cache.`)
    return join(root, `${repositoryId}.git`)
  }
  const cacheAt = (repositoryId: string): Cache => {
    const gitDir = directoryOf(repositoryId)
    return {
      gitDir,
      objectsDir: join(gitDir, 'objects'),
      gate: gateOf(repositoryId),
      git: { trust: 'none', gitDir, cwd: gitDir },
      objectFormat: async () =>
        (await readFile(join(gitDir, 'config'), 'utf8')).includes('objectFormat = sha256') ? 'sha256' : 'sha1',
      shallow: () => readLines(join(gitDir, 'shallow')),
    }
  }
  return {
    async open(repositoryId, objectFormat) {
      const cache = cacheAt(repositoryId)
      const isComplete = () => exists(join(cache.gitDir, COMPLETE))
      if (await isComplete()) return cache
      await cache.gate.alone(async () => {
        if (await isComplete()) return
        await writeGitDirectory(cache.gitDir, { objectFormat })
        await writeFile(join(cache.gitDir, COMPLETE), '')
      })
      return cache
    },
    async existing(repositoryId) {
      const cache = cacheAt(repositoryId)
      if (await exists(join(cache.gitDir, COMPLETE))) return cache
      throw new WorkspaceError('snapshot_missing', `The cache of repository ${repositoryId} is gone.`, {
        remedy: 'Submit the job again: its snapshot has to be taken anew.',
      })
    },
    async all() {
      const names = await readdir(root).catch(() => [])
      return names.filter(name => name.endsWith('.git')).map(name => cacheAt(name.slice(0, -'.git'.length)))
    },
  }
}

/** Every ref below a prefix with the commit it names. */
export async function listRefs(git: Git, cache: Cache, prefix: string): Promise<readonly { ref: string; commit: string }[]> {
  const output = await git.text(['for-each-ref', '--format=%(objectname) %(refname)', prefix], cache.git)
  return output
    .split('\n')
    .filter(Boolean)
    .map(line => {
      const space = line.indexOf(' ')
      return { commit: line.slice(0, space), ref: line.slice(space + 1) }
    })
}

/** All changes or none. A null commit deletes. */
export async function updateRefs(
  git: Git,
  cache: Cache,
  changes: readonly { ref: string; commit: string | null }[],
): Promise<void> {
  if (changes.length === 0) return
  const lines = changes.map(({ ref, commit }) => (commit === null ? `delete ${ref}\0\0` : `update ${ref}\0${commit}\0\0`))
  await git.run(['update-ref', '--stdin', '-z'], { ...cache.git, stdin: lines.join('') })
}

export async function bytesBelow(directory: string): Promise<number> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true }).catch(() => [])
  let total = 0
  for (const entry of entries) {
    if (!entry.isFile()) continue
    // A pack may go away while git repacks.
    total += (await stat(join(entry.parentPath, entry.name)).catch(() => ({ size: 0 }))).size
  }
  return total
}

async function readLines(file: string): Promise<readonly string[]> {
  return (await readFile(file, 'utf8').catch(() => '')).split('\n').filter(Boolean)
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
