import { createGit, type Git } from './git.ts'
import { WorkspaceError } from './port.ts'
import { findRepository } from './repository.ts'

export type ApplyOutcome = { readonly applied: readonly string[] } | { readonly conflicts: readonly string[] }

export async function applyResult(_input: {
  repositoryPath: string
  commit: string
  base: string
  dryRun?: boolean
  git?: string
}): Promise<ApplyOutcome> {
  throw new WorkspaceError('git_failed', 'Not available yet.')
}

/** Makes a branch of a delivered result. Never moves an existing one. @throws {WorkspaceError} conflict */
export async function createBranch(input: { repositoryPath: string; name: string; commit: string; git?: string }): Promise<void> {
  const git: Git = createGit(input.git === undefined ? {} : { command: input.git })
  const source = await findRepository(git, input.repositoryPath)
  const options = { trust: 'user', gitDir: source.gitDir, cwd: source.topLevel } as const
  const valid = await git.run(['check-ref-format', '--branch', input.name], { ...options, exits: [0, 1, 128] })
  if (valid.exit !== 0 || input.name.startsWith('@{'))
    throw new WorkspaceError('conflict', `"${input.name}" is not a name git takes for a branch.`)
  const zeros = '0'.repeat(source.objectFormat === 'sha256' ? 64 : 40)
  const made = await git.run(['update-ref', `refs/heads/${input.name}`, input.commit, zeros], { ...options, exits: [0, 1, 128] })
  if (made.exit === 0) return
  const reason = made.stderr.includes('exists') ? 'a branch of that name exists' : made.stderr.trim()
  throw new WorkspaceError('conflict', `Failed to make branch ${input.name}: ${reason}.`, { remedy: 'Choose another name.' })
}
