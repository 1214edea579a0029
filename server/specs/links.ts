import { lstat, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import type { Feature } from './analysis/index.ts'

/** Most paths of one feature that are looked at. */
const MOST_LOOKED_AT = 1_000
/** How long an answer is good for, ms: features are read at every key, and links seldom change. */
const FRESH_MS = 10_000
const MOST_KEPT = 20_000

/** Finds paths that stay in a work tree by their text, and lead out of it by a link on the way. */
export interface Links {
  /** Those of the paths that a feature's tasks name. */
  leaving(root: string, feature: Pick<Feature, 'tasks'>): Promise<ReadonlySet<string>>
}

/** @param now ms from any origin */
export function createLinks(now: () => number = () => performance.now()): Links {
  const kept = new Map<string, { readonly at: number; readonly leaves: Promise<boolean> }>()

  function look(root: string, path: string): Promise<boolean> {
    const key = `${root}\0${path}`
    const known = kept.get(key)
    if (known && now() - known.at < FRESH_MS) return known.leaves
    if (kept.size >= MOST_KEPT) kept.clear()
    const leaves = leads(root, path)
    kept.set(key, { at: now(), leaves })
    return leaves
  }

  return {
    async leaving(root, { tasks }) {
      const paths = new Set<string>()
      for (const task of tasks) for (const { path, leaves } of task.paths) if (!leaves) paths.add(path)
      const some = [...paths].slice(0, MOST_LOOKED_AT)
      const answers = await Promise.all(some.map(path => look(root, path)))
      return new Set(some.filter((_, index) => answers[index]))
    },
  }
}

/** Goes down from the root: what is not there yet leads nowhere, and a link whose target is gone may lead anywhere by tomorrow. */
async function leads(root: string, path: string): Promise<boolean> {
  const home = await realpath(root).catch(() => root)
  let at = home
  for (const part of path.split(/[\\/]+/)) {
    if (part === '' || part === '.') continue
    at = join(at, part)
    const found = await lstat(at).catch(() => null)
    if (!found) return false
    if (!found.isSymbolicLink()) continue
    const target = await realpath(at).catch(() => null)
    if (target === null) return false
    if (target !== home && !target.startsWith(home + sep)) return true
    at = target
  }
  return false
}
