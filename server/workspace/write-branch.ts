import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Git, GitOptions } from './git.ts'
import { createGit } from './git.ts'
import { WorkspaceError } from './port.ts'
import { findRepository } from './repository.ts'

/**
 * Commits files on top of HEAD as a branch of its own. The work tree, the index and HEAD stay as they are. A branch of that name
 * with the same content is taken for this one; any other is left alone.
 * @param files path below the work tree, and its content
 * @throws {WorkspaceError}
 */
export async function writeBranch(input: {
  repositoryPath: string
  name: string
  message: string
  files: readonly { path: string; bytes: Uint8Array }[]
}): Promise<{ commit: string }> {
  const git = createGit()
  const source = await findRepository(git, input.repositoryPath)
  if (!source.head)
    throw new WorkspaceError('conflict', `${source.topLevel} has no commit that a branch could begin at.`, {
      remedy: 'Commit something there first.',
    })
  const directory = await mkdtemp(join(tmpdir(), 'skein-branch-'))
  try {
    const options: GitOptions = {
      trust: 'user',
      gitDir: source.gitDir,
      workTree: source.topLevel,
      cwd: source.topLevel,
      indexFile: join(directory, 'index'),
    }
    const tree = await treeWith(git, options, source.head.commit, input.files)
    const existing = await git.run(['rev-parse', '-q', '--verify', `refs/heads/${input.name}^{commit}`], {
      ...options,
      exits: [0, 1],
    })
    const commit = existing.stdout.toString().trim()
    if (existing.exit === 0) {
      if ((await git.text(['rev-parse', `${commit}^{tree}`], options)) === tree) return { commit }
      throw new WorkspaceError('conflict', `There is a branch ${input.name} with other content.`, {
        remedy: 'Remove it, or take it.',
      })
    }
    return { commit: await commitTree(git, options, tree, source.head.commit, input) }
  } finally {
    await rm(directory, { recursive: true, force: true })
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
    await git.run(['update-index', '--add', '--cacheinfo', `${mode},${blob},${path}`], options)
  }
  return git.text(['write-tree'], options)
}

async function commitTree(
  git: Git,
  options: GitOptions,
  tree: string,
  parent: string,
  { name, message }: { name: string; message: string },
): Promise<string> {
  const commit = await git.text(['commit-tree', tree, '-p', parent, '-F', '-'], { ...options, stdin: `${message.trim()}\n` })
  const made = await git.run(['update-ref', '--', `refs/heads/${name}`, commit, '0'.repeat(commit.length)], {
    ...options,
    exits: [0, 1, 128],
  })
  if (made.exit === 0) return commit
  throw new WorkspaceError('conflict', `Failed to make branch ${name}: ${made.stderr.trim()}.`)
}
