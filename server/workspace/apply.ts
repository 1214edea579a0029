import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { identify, isAlive } from '#server/lib/process-identity.ts'
import { captureWorkTree, unchangedSince } from './capture.ts'
import { changesBetween, type RawChange } from './diff.ts'
import { createGit, type Git, type GitOptions } from './git.ts'
import { RestoreFailure, recover } from './journal.ts'
import { refuseLeavingLinks } from './links.ts'
import { mergeTrees } from './merge.ts'
import { WorkspaceError } from './port.ts'
import { findRepository, type SourceRepository } from './repository.ts'
import { createScratch } from './scratch.ts'
import { hasCommit } from './ship.ts'
import { inTheWay, stageFiles, writeBack } from './write-back.ts'

/** Paths written (or, in a dry run, that would be), or paths that keep everything from being written. */
export type ApplyOutcome = { readonly applied: readonly string[] } | { readonly conflicts: readonly string[] }

export interface ApplyInput {
  readonly repositoryPath: string
  /** The delivered result. */
  readonly commit: string
  /** The snapshot it was made from. */
  readonly base: string
  readonly dryRun?: boolean
  /** The git program. Default: `git` on PATH. */
  readonly git?: string
}

/**
 * Merges what a result changes into the work tree as it is now, committed or not. The merge happens aside; files are written only
 * when all of it is clean, and all of them or none. Index, HEAD and stash stay as they are.
 * @throws {WorkspaceError}
 */
export async function applyResult(input: ApplyInput): Promise<ApplyOutcome> {
  const git = createGit(input.git === undefined ? {} : { command: input.git })
  const source = await findRepository(git, input.repositoryPath)
  await requireCommits(git, source, [input.commit, input.base])
  return withAside(source, async aside => {
    await using scratch = await createScratch(aside, {
      objectFormat: source.objectFormat,
      alternates: [source.objectsDir],
      shallow: source.shallow,
    })
    const own: GitOptions = { trust: 'none', gitDir: scratch.gitDir }
    const present = await captureWorkTree({ git }, source, { objectsDir: scratch.objectsDir, indexFile: scratch.file('index') })
    const merged = await mergeTrees(git, scratch, { base: input.base, ours: present.tree, theirs: input.commit })
    if ('conflicts' in merged) return merged
    const changes = await changesBetween(git, own, present.tree, merged.tree)
    if (changes.some(touchesLink)) await refuseLeavingLinks(git, own, present.tree, merged.tree)
    const staged = scratch.file('staged')
    const staging: GitOptions = { ...present.options, indexFile: scratch.file('merged-index') }
    const blocked = await inTheWay(source.topLevel, changes)
    if (blocked.length > 0) return { conflicts: blocked }
    if (!input.dryRun) await stageFiles(git, staging, merged.tree, changes, staged)
    const applied = changes.map(({ path }) => path)
    if (input.dryRun || applied.length === 0) return { applied }
    if (!(await unchangedSince(git, present.options)))
      throw new WorkspaceError(
        'conflict',
        `Files in ${source.topLevel} changed while the result was being merged; nothing was written.`,
        {
          remedy: 'Try again.',
        },
      )
    await writeBack({ top: source.topLevel, changes, staged, aside }).catch(cause => {
      throw notWritten(source, cause)
    })
    return { applied }
  })
}

const touchesLink = (change: RawChange) => change.oldMode === '120000' || change.newMode === '120000'

async function requireCommits(git: Git, source: SourceRepository, commits: readonly string[]): Promise<void> {
  for (const commit of commits)
    if (!/^[0-9a-f]{40,64}$/.test(commit) || !(await hasCommit(git, { trust: 'user', gitDir: source.gitDir }, commit)))
      throw new WorkspaceError('snapshot_missing', `Commit ${commit} is not in ${source.topLevel}.`, {
        remedy: 'The result has not been brought here: apply it in the repository the job was started from.',
      })
}

/**
 * A directory inside the git directory: on the file system of the work tree, and never seen by git. There is one at a time; one that a
 * killed process left behind is used to put the work tree right.
 */
async function withAside<T>(source: SourceRepository, work: (directory: string) => Promise<T>): Promise<T> {
  const directory = join(source.gitDir, 'skein-apply')
  if (!(await take(directory))) {
    const owner = await readOwner(directory)
    if (owner && isAlive(owner))
      throw new WorkspaceError('conflict', `Process ${owner.pid} is applying a result to ${source.topLevel}.`, {
        remedy: 'Wait for it to end.',
      })
    await recover(directory)
    await rm(directory, { recursive: true, force: true })
    if (!(await take(directory)))
      throw new WorkspaceError('conflict', `Another process is applying a result to ${source.topLevel}.`, {
        remedy: 'Wait for it to end.',
      })
  }
  let keep = false
  try {
    return await work(directory)
  } catch (cause) {
    keep = cause instanceof WorkspaceError && cause.cause instanceof RestoreFailure
    throw cause
  } finally {
    if (!keep) await rm(directory, { recursive: true, force: true })
  }
}

const OWNER = 'owner'

/** Makes the directory with its owner in it, in one step: nobody sees one without. @returns false when there is one. */
async function take(directory: string): Promise<boolean> {
  const made = await mkdtemp(`${directory}-`)
  try {
    await writeFile(join(made, OWNER), JSON.stringify(identify(process.pid)))
    await rename(made, directory)
    return true
  } catch (cause) {
    await rm(made, { recursive: true, force: true })
    if (!['ENOTEMPTY', 'EEXIST'].includes((cause as NodeJS.ErrnoException).code ?? '')) throw cause
    return false
  }
}

/** @returns null when it does not say: then nobody can be at work. */
async function readOwner(directory: string): Promise<{ pid: number; startTime: string } | null> {
  try {
    const { pid, startTime } = JSON.parse(await readFile(join(directory, OWNER), 'utf8'))
    return { pid, startTime }
  } catch {
    return null
  }
}

function notWritten(source: SourceRepository, cause: unknown): WorkspaceError {
  const why = cause instanceof Error ? cause.message : String(cause)
  if (!(cause instanceof RestoreFailure))
    return new WorkspaceError(
      'git_failed',
      `Failed to write the result to ${source.topLevel}: ${why}. Everything is as it was.`,
      { cause },
    )
  return new WorkspaceError(
    'git_failed',
    `Failed to write the result to ${source.topLevel}, and to put back every file: ${why}.`,
    {
      cause,
      remedy: `The files are in ${join(source.gitDir, 'skein-apply')}; the next apply tries to put them back.`,
    },
  )
}
