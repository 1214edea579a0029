import type { DiffStat, FileChange } from '#shared/model/index.ts'
import { type Git, type GitOptions, records } from './git.ts'

const MOST_CHANGES = 1000

const STATUS: Readonly<Record<string, FileChange['status']>> = {
  A: 'added',
  M: 'modified',
  D: 'deleted',
  R: 'renamed',
  C: 'copied',
  T: 'type-changed',
}

/** One line of `git diff-tree --raw`. */
export interface RawChange {
  readonly oldMode: string
  readonly newMode: string
  readonly oldId: string
  readonly newId: string
  readonly status: string
  readonly path: string
  readonly oldPath: string | null
}

/** What changed between two trees, renames as a deletion and an addition. */
export async function changesBetween(git: Git, repository: GitOptions, from: string, to: string): Promise<RawChange[]> {
  const { stdout } = await git.run(['diff-tree', '-r', '-z', '--raw', '--no-abbrev', '--no-renames', from, to], repository)
  return parseRaw(records(stdout)).changes
}

export async function diffStat(git: Git, repository: GitOptions, from: string, to: string): Promise<DiffStat> {
  const command = [
    'diff-tree',
    '-r',
    '-z',
    '--raw',
    '--numstat',
    '--no-abbrev',
    '--find-renames',
    '--no-ext-diff',
    '--no-textconv',
  ]
  const { stdout } = await git.run([...command, from, to], repository)
  return parseDiffStat(stdout)
}

/** The patch as `git apply` takes it. */
export function patch(git: Git, repository: GitOptions, from: string, to: string): AsyncIterable<Uint8Array> {
  const command = [
    'diff-tree',
    '-r',
    '-p',
    '--binary',
    '--full-index',
    '--find-renames',
    '--no-ext-diff',
    '--no-textconv',
    '--no-color',
  ]
  return git.stream([...command, from, to], repository)
}

/** Reads what `git diff-tree -z --raw --numstat` prints: all raw records, then one count for each in the same order. */
function parseDiffStat(output: Buffer): DiffStat {
  const { changes, rest } = parseRaw(records(output))
  const stat = { files: changes.length, insertions: 0, deletions: 0, changes: [] as FileChange[] }
  const counts = rest[Symbol.iterator]()
  for (const change of changes) {
    const [added = '-', removed = '-', path = ''] = (counts.next().value ?? '').split('\t')
    if (path === '') {
      // A rename: both names follow as records of their own.
      counts.next()
      counts.next()
    }
    const insertions = added === '-' ? null : Number(added)
    const deletions = removed === '-' ? null : Number(removed)
    stat.insertions += insertions ?? 0
    stat.deletions += deletions ?? 0
    if (stat.changes.length < MOST_CHANGES)
      stat.changes.push({
        path: change.path,
        oldPath: change.oldPath,
        status: STATUS[change.status] ?? 'modified',
        insertions,
        deletions,
      })
  }
  return stat
}

export const NO_CHANGES: DiffStat = { files: 0, insertions: 0, deletions: 0, changes: [] }

function parseRaw(parts: readonly string[]): { changes: RawChange[]; rest: readonly string[] } {
  const changes: RawChange[] = []
  let index = 0
  while (parts[index]?.startsWith(':')) {
    const [oldMode = '', newMode = '', oldId = '', newId = '', score = ''] = (parts[index] ?? '').slice(1).split(' ')
    const status = score.slice(0, 1)
    const first = parts[index + 1] ?? ''
    const twoNames = status === 'R' || status === 'C'
    const path = twoNames ? (parts[index + 2] ?? '') : first
    changes.push({ oldMode, newMode, oldId, newId, status, path, oldPath: twoNames ? first : null })
    index += twoNames ? 3 : 2
  }
  return { changes, rest: parts.slice(index) }
}
