import { readFile, realpath, stat } from 'node:fs/promises'
import { type Git, GitFailure, type GitOptions } from './git.ts'
import { WorkspaceError } from './port.ts'

export type ObjectFormat = 'sha1' | 'sha256'

/** A person's repository, as found. Only ever read. */
export interface SourceRepository {
  readonly topLevel: string
  /** Of this work tree; differs from `commonDir` in a linked work tree. */
  readonly gitDir: string
  readonly commonDir: string
  readonly objectsDir: string
  readonly indexFile: string
  readonly objectFormat: ObjectFormat
  /** Commits whose parents are missing here; empty unless the clone is shallow. */
  readonly shallow: readonly string[]
  readonly head: { readonly commit: string; readonly tree: string } | null
  /** Without `refs/heads/`; null when HEAD is detached. */
  readonly branch: string | null
}

/** Finds the repository of a directory. @throws {WorkspaceError} not_a_repository, also for a bare one */
export async function findRepository(git: Git, path: string): Promise<SourceRepository> {
  const directory = await directoryAt(path)
  const options: GitOptions = { trust: 'user', cwd: directory }
  const [facts, branch, head] = await Promise.all([
    factsOf(git, directory),
    git.run(['symbolic-ref', '-q', 'HEAD'], { ...options, exits: [0, 1, 128] }),
    git.run(['rev-parse', 'HEAD^{commit}', 'HEAD^{tree}'], { ...options, exits: [0, 128] }),
  ])
  const branchName = branch.exit === 0 ? branch.stdout.toString().trim() : null
  const [commit, tree] = head.exit === 0 ? head.stdout.toString().trim().split('\n') : []
  // A name without a commit behind it is a repository before its first commit; a name with a broken commit is not.
  if (commit === undefined && (branchName === null || (await refExists(git, options, branchName))))
    throw new WorkspaceError('not_a_repository', `Failed to read HEAD of ${facts.topLevel}: it names no commit.`, {
      remedy: 'Run `git status` and `git fsck` there.',
    })
  return {
    ...facts,
    head: commit === undefined || tree === undefined ? null : { commit, tree },
    branch: branchName?.replace(/^refs\/heads\//, '') ?? null,
  }
}

async function directoryAt(path: string): Promise<string> {
  try {
    const found = await realpath(path)
    if ((await stat(found)).isDirectory()) return found
  } catch (cause) {
    throw new WorkspaceError('not_a_repository', `There is no directory ${path}.`, { cause })
  }
  throw new WorkspaceError('not_a_repository', `${path} is not a directory.`)
}

async function refExists(git: Git, options: GitOptions, ref: string): Promise<boolean> {
  return (await git.run(['rev-parse', '-q', '--verify', ref], { ...options, exits: [0, 1, 128] })).exit === 0
}

async function factsOf(git: Git, directory: string): Promise<Omit<SourceRepository, 'head' | 'branch'>> {
  const fields = ['--is-bare-repository', '--is-inside-work-tree', '--show-object-format', '--is-shallow-repository']
  const paths = [
    '--absolute-git-dir',
    '--git-common-dir',
    '--git-path',
    'objects',
    '--git-path',
    'index',
    '--git-path',
    'shallow',
  ]
  let output: string
  try {
    output = await git.text(['rev-parse', ...fields, ...paths, '--show-toplevel'], { trust: 'user', cwd: directory })
  } catch (cause) {
    throw notARepository(directory, cause)
  }
  // Git ends each answer with a line break even if the path holds one; relative answers are made absolute below.
  const lines = output.split('\n')
  const [, , format, isShallow, gitDir, commonDir, objects, index, shallow, topLevel] = lines
  if (lines.length !== 10 || !gitDir || !commonDir || !objects || !index || !shallow || !topLevel)
    throw new WorkspaceError('not_a_repository', `Failed to read the repository at ${directory}: its path holds a line break.`)
  const absolute = (path: string) => realpath(path.startsWith('/') ? path : `${directory}/${path}`).catch(() => path)
  return {
    topLevel: await absolute(topLevel),
    gitDir: await absolute(gitDir),
    commonDir: await absolute(commonDir),
    objectsDir: await absolute(objects),
    indexFile: index.startsWith('/') ? index : `${directory}/${index}`,
    objectFormat: format === 'sha256' ? 'sha256' : 'sha1',
    shallow: isShallow === 'true' ? (await readFile(await absolute(shallow), 'utf8')).split('\n').filter(Boolean) : [],
  }
}

function notARepository(directory: string, cause: unknown): WorkspaceError {
  const said = cause instanceof GitFailure ? cause.stderr : ''
  if (said.includes('must be run in a work tree'))
    return new WorkspaceError(
      'not_a_repository',
      `${directory} is in a bare repository or a .git directory, which has no work tree.`,
      {
        cause,
        remedy: 'Give the path of a work tree, such as one made by `git worktree add`.',
      },
    )
  if (said.includes('dubious ownership'))
    return new WorkspaceError(
      'not_a_repository',
      `The repository at ${directory} belongs to another user, so git does not trust it.`,
      {
        cause,
        remedy: `git config --global --add safe.directory ${directory}`,
      },
    )
  if (said.includes('not a git repository'))
    return new WorkspaceError('not_a_repository', `${directory} is not in a git repository.`, {
      cause,
      remedy: 'Run `git init` there.',
    })
  return new WorkspaceError('git_failed', cause instanceof Error ? cause.message : String(cause), { cause })
}
