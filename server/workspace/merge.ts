import { writeFile } from 'node:fs/promises'
import { type Git, type GitOptions, records } from './git.ts'
import type { Scratch } from './scratch.ts'

/** Trees or commits. */
export interface MergeInput {
  readonly base: string
  readonly ours: string
  readonly theirs: string
}

export type Merged = { readonly tree: string } | { readonly conflicts: readonly string[] }

/** `git merge-tree --write-tree` came with 2.38. */
const HAS_MERGE_TREE = 238

/** Merges three trees aside: no work tree and no index of a person's is involved, and no merge driver of theirs runs. */
export async function mergeTrees(git: Git, scratch: Scratch, input: MergeInput): Promise<Merged> {
  return (await git.version()) >= HAS_MERGE_TREE ? mergeWithRenames(git, scratch, input) : mergeByIndex(git, scratch, input)
}

const repositoryOf = (scratch: Scratch): GitOptions => ({ trust: 'none', gitDir: scratch.gitDir })

/** As `git merge` would: renames are followed. It wants commits, so the trees become two commits on one parent. */
export async function mergeWithRenames(git: Git, scratch: Scratch, input: MergeInput): Promise<Merged> {
  const repository = repositoryOf(scratch)
  const commitTree = async (of: string, ...parents: string[]) =>
    git.text(['commit-tree', `${of}^{tree}`, ...parents.flatMap(parent => ['-p', parent]), '-m', 'merge'], repository)
  const base = await commitTree(input.base)
  const [ours, theirs] = await Promise.all([commitTree(input.ours, base), commitTree(input.theirs, base)])
  const merge = ['merge-tree', '--write-tree', '-z', '--name-only', '--no-messages', ours, theirs]
  const { stdout, exit } = await git.run(merge, { ...repository, exits: [0, 1] })
  const [tree = '', ...conflicts] = records(stdout)
  return exit === 0 ? { tree } : { conflicts: [...new Set(conflicts.filter(path => path !== ''))] }
}

interface Stage {
  readonly mode: string
  readonly id: string
}

/** For older gits: the three-way merge of `git read-tree` and `git merge-file`; a rename on one side and a change on the other conflict. */
export async function mergeByIndex(git: Git, scratch: Scratch, input: MergeInput): Promise<Merged> {
  const repository: GitOptions = { ...repositoryOf(scratch), indexFile: scratch.file('merge-index') }
  await git.run(['read-tree', '-i', '-m', '--aggressive', input.base, input.ours, input.theirs], repository)
  const { stdout } = await git.run(['ls-files', '-u', '-z'], repository)
  const conflicts: string[] = []
  const resolved: string[] = []
  for (const [path, stages] of unmerged(records(stdout))) {
    const merged = await mergeFile(git, scratch, repository, stages)
    if (merged === null) conflicts.push(path)
    else resolved.push(`0 ${'0'.repeat(merged.id.length)}\t${path}`, `${merged.mode} ${merged.id}\t${path}`)
  }
  if (conflicts.length > 0) return { conflicts }
  await git.run(['update-index', '-z', '--index-info'], { ...repository, stdin: resolved.map(line => `${line}\0`).join('') })
  return { tree: await git.text(['write-tree'], repository) }
}

/** Lines `<mode> <id> <stage><tab><path>` by path; index 0 is the base, 1 ours, 2 theirs. */
function unmerged(lines: readonly string[]): Map<string, (Stage | undefined)[]> {
  const paths = new Map<string, (Stage | undefined)[]>()
  for (const line of lines) {
    const tab = line.indexOf('\t')
    const [mode = '', id = '', stage = ''] = line.slice(0, tab).split(' ')
    const path = line.slice(tab + 1)
    const stages = paths.get(path) ?? []
    stages[Number(stage) - 1] = { mode, id }
    paths.set(path, stages)
  }
  return paths
}

async function mergeFile(
  git: Git,
  scratch: Scratch,
  repository: GitOptions,
  [base, ours, theirs]: readonly (Stage | undefined)[],
): Promise<Stage | null> {
  if (!base || !ours || !theirs) return null
  if (![base, ours, theirs].every(stage => stage.mode.startsWith('100'))) return null
  // A mode that only one side changed is that side's.
  const mode = ours.mode === base.mode ? theirs.mode : ours.mode
  const files = await Promise.all(
    [ours, base, theirs].map(async ({ id }, index) => {
      const file = scratch.file(`merge-${index}`)
      await writeFile(file, (await git.run(['cat-file', 'blob', id], repository)).stdout)
      return file
    }),
  )
  // Exit code: the number of conflicts, or 255 for a binary file.
  const { stdout, exit } = await git.run(['merge-file', '-p', '-q', ...files], { ...repository, exits: EVERY_EXIT })
  if (exit !== 0) return null
  return { mode, id: await git.text(['hash-object', '-w', '--stdin'], { ...repository, stdin: stdout }) }
}

const EVERY_EXIT = Array.from({ length: 256 }, (_, code) => code)
