import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, posix, relative } from 'node:path'
import type { Git, GitOptions } from './git.ts'
import { createGit } from './git.ts'
import { WorkspaceError } from './port.ts'
import { findRepository } from './repository.ts'

/**
 * Commits files on top of HEAD as a branch of its own. The work tree, the index and HEAD stay as they are. Its name ends in what it
 * holds, so that the same asked for twice makes one branch.
 * @param input.directory work tree, or a directory in one
 * @param input.files paths below that directory, and their content
 * @throws {WorkspaceError}
 */
export async function writeBranch(input: {
  directory: string
  prefix: string
  message: string
  files: readonly { path: string; bytes: Uint8Array }[]
}): Promise<{ branch: string; commit: string }> {
  const git = createGit()
  const source = await findRepository(git, input.directory)
  if (!source.head)
    throw new WorkspaceError('conflict', `${source.topLevel} has no commit that a branch could begin at.`, {
      remedy: 'Commit something there first.',
    })
  const below = relative(source.topLevel, await realpath(input.directory))
  const files = input.files.map(({ path, bytes }) => ({ path: posix.join(below, path), bytes }))
  const scratch = await mkdtemp(join(tmpdir(), 'skein-branch-'))
  try {
    const options: GitOptions = {
      trust: 'user',
      gitDir: source.gitDir,
      workTree: source.topLevel,
      cwd: source.topLevel,
      indexFile: join(scratch, 'index'),
    }
    const parent = source.head.commit
    const tree = await treeWith(git, options, parent, files)
    const branch = `${input.prefix}-${tree.slice(0, 12)}`
    const commit =
      (await madeBefore(git, options, branch, tree)) ??
      (await commitTo(git, options, { branch, tree, parent, message: input.message }))
    return { branch, commit }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function treeWith(
  git: Git,
  options: GitOptions,
  base: string,
  files: readonly { path: string; bytes: Uint8Array }[],
): Promise<string> {
  await git.run(['read-tree', base], options)
  for (const { path, bytes } of files) {
    const blob = await git.text(['hash-object', '-w', '--stdin', `--path=${path}`], { ...options, stdin: bytes })
    const listed = await git.text(['ls-tree', '--full-tree', base, '--', path], {
      ...options,
      env: { GIT_LITERAL_PATHSPECS: '1' },
    })
    const mode = listed.startsWith('100755') ? '100755' : '100644'
    await git.run(['update-index', '--add', '--replace', '--cacheinfo', `${mode},${blob},${path}`], options)
  }
  return git.text(['write-tree'], options)
}

/** The commit of a branch, if there is one; it is not moved. @throws {WorkspaceError} conflict when it holds something else */
async function madeBefore(git: Git, options: GitOptions, branch: string, tree: string): Promise<string | null> {
  const names = [`refs/heads/${branch}^{commit}`, `refs/heads/${branch}^{tree}`]
  const found = await git.run(['rev-parse', '-q', ...names], { ...options, exits: [0, 1, 128] })
  if (found.exit !== 0) return null
  const [commit = '', held] = found.stdout.toString().trim().split('\n')
  if (held === tree) return commit
  throw new WorkspaceError('conflict', `There is a branch ${branch} with other content.`, { remedy: 'Remove or rename it.' })
}

async function commitTo(
  git: Git,
  options: GitOptions,
  { branch, tree, parent, message }: { branch: string; tree: string; parent: string; message: string },
): Promise<string> {
  const commit = await git.text(['commit-tree', tree, '-p', parent, '-F', '-'], { ...options, stdin: `${message.trim()}\n` })
  const made = await git.run(['update-ref', '--', `refs/heads/${branch}`, commit, '0'.repeat(commit.length)], {
    ...options,
    exits: [0, 1, 128],
  })
  if (made.exit === 0) return commit
  // Somebody who asked for the same was quicker.
  const other = await madeBefore(git, options, branch, tree)
  if (other !== null) return other
  throw new WorkspaceError('conflict', `Failed to make branch ${branch}: ${made.stderr.trim()}.`)
}
