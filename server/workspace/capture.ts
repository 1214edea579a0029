import { type Git, GitFailure, type GitOptions } from './git.ts'
import { copyIndex } from './index-file.ts'
import { WorkspaceError, type WorkspaceLog } from './port.ts'
import type { SourceRepository } from './repository.ts'

/** Where a capture writes: nothing of it is in the repository itself. */
export interface CaptureTarget {
  readonly objectsDir: string
  readonly indexFile: string
}

export interface Captured {
  readonly tree: string
  /** Options under which git sees the captured state: to ask what has changed since. */
  readonly options: GitOptions
}

const TRIES = 3
/** What git says of a repository inside the work tree that has nothing to point to. It is left out, as `git status` shows no content of it either. */
const EMPTY_NESTED = /^error: '.*' does not have a commit checked out$/

/**
 * Writes the work tree as a tree: what `git add -A` would commit, but into an index and an object directory aside.
 * A file that changes meanwhile would give a mixture nobody ever had, so the capture is repeated until nothing moved.
 * The person's configuration applies, their clean filters included: a file under Git LFS becomes its pointer.
 * @throws {WorkspaceError} git_failed
 */
export async function captureWorkTree(
  deps: { git: Git; log?: WorkspaceLog },
  source: SourceRepository,
  target: CaptureTarget,
): Promise<Captured> {
  const { git } = deps
  const options: GitOptions = {
    trust: 'user',
    cwd: source.topLevel,
    gitDir: source.gitDir,
    workTree: source.topLevel,
    indexFile: target.indexFile,
    objectsDir: target.objectsDir,
    alternates: [source.objectsDir],
  }
  // Before the first `git add` there is none.
  await copyIndex(source.indexFile, target.indexFile)
  const add = ['add', '--all', '--ignore-errors', '--sparse']
  let failure: unknown
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    try {
      await addAll(deps, add, options)
      const tree = await git.text(['write-tree'], options)
      if (await unchangedSince(git, options)) return { tree, options }
    } catch (cause) {
      failure = cause
    }
  }
  if (failure instanceof WorkspaceError) throw failure
  throw new WorkspaceError('git_failed', `Failed to snapshot ${source.topLevel}: its files kept changing while they were read.`, {
    remedy: 'Stop what is writing there, or add it to .gitignore, and try again.',
  })
}

/** Whether every captured file is still as it was read: compares stat data, and content where that is too young to tell. */
export async function unchangedSince(git: Git, options: GitOptions): Promise<boolean> {
  const { exit } = await git.run(['diff-files', '--quiet', '--ignore-submodules=all'], { ...options, exits: [0, 1] })
  return exit === 0
}

async function addAll(deps: { git: Git; log?: WorkspaceLog }, add: readonly string[], options: GitOptions): Promise<void> {
  const { exit, stderr } = await deps.git.run(add, { ...options, exits: [0, 1] })
  if (exit === 0) return
  const errors = stderr.split('\n').filter(line => /^(error|fatal): /.test(line))
  const serious = errors.filter(
    line => !EMPTY_NESTED.test(line) && !/unable to index file '.*\/'$|adding files failed$/.test(line),
  )
  if (errors.length === 0 || serious.length > 0) throw new GitFailure(add, exit, stderr)
  deps.log?.warn({ errors }, 'Repositories without a commit inside the work tree are not part of the snapshot')
}
