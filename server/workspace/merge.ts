import { type Git, type GitOptions, records } from './git.ts'
import type { Scratch } from './scratch.ts'

/** Trees or commits. */
export interface MergeInput {
  readonly base: string
  readonly ours: string
  readonly theirs: string
}

export type Merged = { readonly tree: string } | { readonly conflicts: readonly string[] }

/**
 * Merges three trees aside, as `git merge` would, renames followed: no work tree and no index of a person's is involved, and no merge
 * driver of theirs runs. Git wants commits, so the trees become two commits on one parent.
 */
export async function mergeTrees(git: Git, scratch: Scratch, input: MergeInput): Promise<Merged> {
  const repository: GitOptions = { trust: 'none', gitDir: scratch.gitDir }
  const commitTree = async (of: string, ...parents: string[]) =>
    git.text(['commit-tree', `${of}^{tree}`, ...parents.flatMap(parent => ['-p', parent]), '-m', 'merge'], repository)
  const base = await commitTree(input.base)
  const [ours, theirs] = await Promise.all([commitTree(input.ours, base), commitTree(input.theirs, base)])
  const merge = ['merge-tree', '--write-tree', '-z', '--name-only', '--no-messages', ours, theirs]
  const { stdout, exit } = await git.run(merge, { ...repository, exits: [0, 1] })
  const [tree = '', ...conflicts] = records(stdout)
  return exit === 0 ? { tree } : { conflicts: [...new Set(conflicts.filter(path => path !== ''))] }
}
