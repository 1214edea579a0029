import { createGit } from './git.ts'
import { WorkspaceError } from './port.ts'
import { findRepository } from './repository.ts'

/** Makes a branch of a delivered result. Never moves an existing one. @throws {WorkspaceError} conflict */
export async function createBranch(input: { repositoryPath: string; name: string; commit: string; git?: string }): Promise<void> {
  const git = createGit(input.git === undefined ? {} : { command: input.git })
  const source = await findRepository(git, input.repositoryPath)
  const options = { trust: 'user', gitDir: source.gitDir, cwd: source.topLevel, exits: [0, 1, 128] } as const
  // `--branch` alone would also take "@{-1}", the branch before this one.
  const valid = await git.run(['check-ref-format', '--branch', input.name], options)
  if (valid.exit !== 0 || valid.stdout.toString().trim() !== input.name)
    throw new WorkspaceError('conflict', `${JSON.stringify(input.name)} is not a name git takes for a branch.`)
  const absent = '0'.repeat(input.commit.length)
  const made = await git.run(['update-ref', '--', `refs/heads/${input.name}`, `${input.commit}^{commit}`, absent], options)
  if (made.exit === 0) return
  const reason = made.stderr.includes('exists') ? 'there is a branch of that name, or one it would be below' : made.stderr.trim()
  throw new WorkspaceError('conflict', `Failed to make branch ${input.name}: ${reason}.`, { remedy: 'Choose another name.' })
}
