import { chmod, lstat, mkdir, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { RawChange } from './diff.ts'
import type { Git, GitOptions } from './git.ts'
import { allOrNothing, type Journal } from './journal.ts'
import { isDotGit } from './paths.ts'

const ABSENT = '000000'
const GITLINK = '160000'

const isRemoval = (change: RawChange) => change.newMode === ABSENT

/**
 * Paths that cannot be written without loss: what is on the disk there is not what the change starts from (an ignored file, a link
 * to elsewhere in place of a directory), or it is no plain file.
 */
export async function inTheWay(top: string, changes: readonly RawChange[]): Promise<string[]> {
  const leaving = new Set(changes.filter(change => isRemoval(change)).map(change => change.path))
  const blocked: string[] = []
  for (const change of changes) {
    // A name that is not UTF-8 is not the one on the disk any more.
    const isUnsafe =
      change.path.includes('\ufffd') || change.path.split('/').some(part => part === '..' || part === '' || isDotGit(part))
    if (isUnsafe || change.oldMode === GITLINK || change.newMode === GITLINK) blocked.push(change.path)
    else if (!(await parentsAreDirectories(top, change.path, leaving))) blocked.push(change.path)
    else if (change.oldMode === ABSENT && !(await willBeFree(top, change.path, leaving))) blocked.push(change.path)
  }
  return blocked
}

/** A link or file in place of a directory is fine only if this very change removes it. */
async function parentsAreDirectories(top: string, path: string, leaving: ReadonlySet<string>): Promise<boolean> {
  for (let parent = dirname(path); parent !== '.'; parent = dirname(parent)) {
    const found = await lstat(join(top, parent)).catch(() => null)
    if (found && !found.isDirectory() && !leaving.has(parent)) return false
  }
  return true
}

async function willBeFree(top: string, path: string, leaving: ReadonlySet<string>): Promise<boolean> {
  const found = await lstat(join(top, path)).catch(() => null)
  if (found === null) return true
  if (!found.isDirectory()) return false
  for (const name of await readdir(join(top, path))) {
    const inside = `${path}/${name}`
    if (!leaving.has(inside) && !(await willBeFree(top, inside, leaving))) return false
  }
  return true
}

/** Writes new content to a directory aside, as a check-out would: line ends, encodings and filters by the person's configuration. */
export async function stageFiles(
  git: Git,
  options: GitOptions,
  tree: string,
  changes: readonly RawChange[],
  directory: string,
): Promise<void> {
  const files = changes.filter(change => !isRemoval(change))
  if (files.length === 0) return
  await git.run(['read-tree', tree], options)
  await git.run(['checkout-index', '-z', '--stdin', `--prefix=${directory}/`], {
    ...options,
    stdin: files.map(({ path }) => `${path}\0`).join(''),
  })
}

/** Puts staged files in place of the present ones; on a failure everything is as before. */
export async function writeBack(input: {
  top: string
  changes: readonly RawChange[]
  /** Where `stageFiles` wrote. */
  staged: string
  /** For the journal and what is replaced; on the work tree's file system if possible. */
  aside: string
}): Promise<void> {
  const { top, changes, staged, aside } = input
  const replaced = join(aside, 'replaced')
  await mkdir(replaced, { recursive: true })
  let count = 0
  const putAside = (journal: Journal, path: string) => journal.move(join(top, path), join(replaced, String(count++)))
  await allOrNothing(aside, async journal => {
    for (const { path } of changes.filter(isRemoval)) {
      await putAside(journal, path)
      await removeEmptyParents(journal, top, path)
    }
    for (const change of changes.filter(candidate => !isRemoval(candidate))) {
      const from = join(staged, change.path)
      if (change.oldMode !== ABSENT) {
        await keepMode(join(top, change.path), from, change)
        await putAside(journal, change.path)
      }
      await journal.makeDirectories(dirname(join(top, change.path)))
      await removeEmptyDirectories(journal, join(top, change.path))
      await journal.move(from, join(top, change.path))
    }
  })
}

async function removeEmptyParents(journal: Journal, top: string, path: string): Promise<void> {
  for (let parent = dirname(path); parent !== '.'; parent = dirname(parent)) {
    if ((await readdir(join(top, parent))).length > 0) return
    await journal.removeDirectory(join(top, parent))
  }
}

/** Directories without a file in them, which git does not see, give way to a file; one that holds anything stops it. */
async function removeEmptyDirectories(journal: Journal, path: string): Promise<void> {
  const found = await lstat(path).catch(() => null)
  if (!found?.isDirectory()) return
  for (const name of await readdir(path)) await removeEmptyDirectories(journal, join(path, name))
  await journal.removeDirectory(path)
}

/** Rights that git does not know of stay, such as those of a file nobody else may read. */
async function keepMode(present: string, staged: string, change: RawChange): Promise<void> {
  if (!change.oldMode.startsWith('100') || !change.newMode.startsWith('100')) return
  const { mode } = await lstat(present)
  const bits = mode & 0o777
  const executable = change.newMode === '100755'
  const wanted = executable ? bits | ((bits & 0o444) >> 2) : bits & ~0o111
  await chmod(staged, change.oldMode === change.newMode ? bits : wanted)
}
