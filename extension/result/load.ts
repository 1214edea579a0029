import { randomUUID } from 'node:crypto'
import { lstat, realpath, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Job, JobId } from '#shared/model/index.ts'
import type { Backend } from '../backend/backend.ts'
import { type Change, isSubmodule, parseChanges } from './change.ts'
import { createGit, type Git } from './git.ts'

/** What a job changed, with the repository that has both sides of it. */
export interface JobChanges {
  readonly job: Job
  /** Absolute path of the work tree the job came from. */
  readonly root: string
  readonly git: Git
  readonly commit: string
  readonly base: string
  readonly changes: readonly Change[]
}

/** Why there is nothing to review or to apply; its message is for the person. */
export class NoChanges extends Error {
  /** Whether the orchestrator has a patch all the same, for another repository than any here. */
  readonly isElsewhere: boolean

  constructor(message: string, isElsewhere = false) {
    super(message)
    this.name = 'NoChanges'
    this.isElsewhere = isElsewhere
  }
}

const COMMIT = /^[0-9a-f]{40,64}$/

/** Finds the changes of a job in its repository, and brings them there where they are not yet. @throws {NoChanges} {BackendError} {GitError} */
export async function loadChanges(backend: Backend, id: JobId): Promise<JobChanges> {
  const job = await backend.call('getJob', { params: { id } })
  const { result, spec, snapshot, state } = job
  if (!result) throw new NoChanges(`The job is ${state} and has no result.`)
  const { commit } = result
  const base = result.snapshot ?? snapshot?.commit
  if (commit === null) throw new NoChanges('The job changed nothing.')
  if (base === undefined || !spec.repository) throw new NoChanges('The job did not start from a repository.', true)
  if (!COMMIT.test(commit) || !COMMIT.test(base)) throw new NoChanges('The result names no commit.')
  const { path } = spec.repository
  if (!(await stat(path).catch(() => null))?.isDirectory())
    throw new NoChanges(`The repository ${path} of the job is not on this machine.`, true)
  const root = await workTreeOf(path)
  const git = createGit(root)
  await bringHere(backend, git, id, { commit, base })
  const raw = ['diff-tree', '-r', '-z', '--raw', '--no-abbrev', '--find-renames', '--no-ext-diff', base, commit]
  return { job, root, git, commit, base, changes: parseChanges(await git.run(...raw)) }
}

/**
 * The work tree that a directory is in. Git says what the settings of the repository say, which may be another one: whoever wrote those
 * does not say where changes are written. @throws {NoChanges} {GitError}
 */
async function workTreeOf(path: string): Promise<string> {
  const said = (await createGit(path).run('rev-parse', '--show-toplevel')).toString().replace(/\r?\n$/, '')
  const root = await realpath(said)
  for (let at = await realpath(path); ; at = dirname(at)) {
    if (await lstat(join(at, '.git')).catch(() => null)) {
      if (at === root) return root
      throw new NoChanges(`By its settings the work tree of ${at} is ${root}, where nothing is written.`, true)
    }
    if (at === dirname(at)) throw new NoChanges(`${path} is not in a work tree.`, true)
  }
}

interface Commits {
  readonly commit: string
  readonly base: string
}

/** The node brings results home by itself; where it could not, the bundle is fetched from it now. */
async function bringHere(backend: Backend, git: Git, id: JobId, { commit, base }: Commits): Promise<void> {
  const has = (commit: string) =>
    git.run('cat-file', '-e', `${commit}^{commit}`).then(
      () => true,
      () => false,
    )
  if ((await Promise.all([commit, base].map(has))).every(Boolean)) return
  const chunks: Buffer[] = []
  await backend.call(
    'getArtifact',
    { params: { id, name: 'result.bundle' } },
    { onPiece: base64 => chunks.push(Buffer.from(base64, 'base64')) },
  )
  const file = join(tmpdir(), `skein-${randomUUID()}.bundle`)
  const ref = `refs/skein/jobs/${id}`
  try {
    await writeFile(file, Buffer.concat(chunks), { mode: 0o600, flag: 'wx' })
    // Not by a fetch: that goes by what a repository says of its remotes.
    await git.run('bundle', 'unbundle', '--', file)
    await git.run('update-ref', '--', ref, commit)
  } finally {
    await rm(file, { force: true })
  }
}

/** Contents of both sides of all changes, by id. */
export function contentsOf({ git, changes }: Pick<JobChanges, 'git' | 'changes'>): Promise<ReadonlyMap<string, Buffer>> {
  const sides = changes.flatMap(({ before, after }) => [before, after])
  return git.blobs(sides.flatMap(side => (side.id === null || isSubmodule(side) ? [] : [side.id])))
}
