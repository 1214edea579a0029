/** What HFS+ leaves out when it compares names. */
const HFS_IGNORED = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g

/**
 * Whether some file system takes this name for `.git`: case, invisible characters (HFS+), short names, trailing dots, spaces and
 * streams (NTFS). The same list as git's own `verify_path`.
 */
export function isDotGit(name: string): boolean {
  const plain = name.replace(HFS_IGNORED, '').toLowerCase()
  const ntfs = (plain.split(/[:\\]/, 1)[0] ?? '').replace(/[. ]+$/, '')
  return ntfs === '.git' || ntfs === 'git~1'
}

const MOST_LINKS = 40

/**
 * Whether following the symbolic link at `path` leads out of the tree, or nowhere in {@link MOST_LINKS} steps. Links on the way are
 * followed as the kernel does; what is no link counts as a directory, so that a target that does not exist yet is judged too.
 * @param links path to target of every symbolic link in the tree
 */
export function leavesTree(links: ReadonlyMap<string, string>, path: string): boolean {
  const at: string[] = []
  const left = path.split('/').reverse()
  let followed = 0
  for (let part = left.pop(); part !== undefined; part = left.pop()) {
    if (part === '' || part === '.') continue
    if (part === '..') {
      if (at.pop() === undefined) return true
      continue
    }
    at.push(part)
    const target = links.get(at.join('/'))
    if (target === undefined) continue
    if (target.startsWith('/') || ++followed > MOST_LINKS) return true
    at.pop()
    left.push(...target.split('/').reverse())
  }
  return false
}

/**
 * Links of `after` that leave the tree and did not as they were in `before`: new and changed ones, and old ones that lead elsewhere
 * because another link on their way changed.
 */
export function newlyLeaving(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  return [...after.keys()].filter(
    path => leavesTree(after, path) && !(before.get(path) === after.get(path) && leavesTree(before, path)),
  )
}
