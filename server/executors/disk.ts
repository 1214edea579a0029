import { statfsSync } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '#server/lib/clock.ts'

export interface DiskUsage {
  /** Blocks, not lengths; a file with several names counts once; links are not followed. */
  readonly bytes: number
  /** Whether all could be looked at. A program may hide files in directories it made unreadable, or too deep to be named. */
  readonly complete: boolean
}

export async function diskUsage(directories: readonly string[]): Promise<DiskUsage> {
  const seen = new Set<string>()
  let bytes = 0
  let complete = true
  // What is gone since it was listed takes no space.
  const failed = (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') complete = false
  }
  const pending = [...directories]
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const entries = await readdir(directory, { withFileTypes: true }).catch(failed)
    for (const entry of entries ?? []) {
      const path = join(directory, entry.name)
      if (entry.isDirectory()) pending.push(path)
      const stat = await lstat(path).catch(failed)
      if (!stat) continue
      if (stat.nlink > 1 && !entry.isDirectory()) {
        const name = `${stat.dev}:${stat.ino}`
        if (seen.has(name)) continue
        seen.add(name)
      }
      bytes += stat.blocks * 512
    }
  }
  return { bytes, complete }
}

const LOOK_MS = 1000
/** A full count at least this often, whatever the file system's own figure says. */
const COUNT_EVERY = 30

/**
 * Watches the directories until stopped, and calls once when they hold more than `limitBytes`. A full count walks the tree, so
 * it is made only when the file system has lost half of the room that was left at the last count; every second costs one statfs.
 * Where the count is not complete, all that the file system has lost since the start is held against the directories as well.
 * @returns stop
 */
export function watchDisk(deps: {
  clock: Clock
  directories: readonly string[]
  limitBytes: number
  exceeded: () => void
}): () => void {
  const { clock, directories, limitBytes, exceeded } = deps
  const freeAtStart = freeBytes(directories)
  let cancel = () => {}
  let stopped = false
  let room = 0
  let freeAtCount = Number.POSITIVE_INFINITY
  let looks = COUNT_EVERY

  const look = async () => {
    const free = freeBytes(directories)
    if (++looks >= COUNT_EVERY || freeAtCount - free >= room / 2) {
      looks = 0
      freeAtCount = free
      const { bytes, complete } = await diskUsage(directories)
      room = limitBytes - bytes - (complete ? 0 : Math.max(0, freeAtStart - free))
    }
    if (stopped) return
    if (room < 0) exceeded()
    else cancel = clock.after(LOOK_MS, () => void look())
  }
  cancel = clock.after(LOOK_MS, () => void look())
  return () => {
    stopped = true
    cancel()
  }
}

/**
 * Of all file systems involved; one that holds several of the directories counts as often, which only makes for an early count.
 * Synchronous: a question to the kernel's own memory, which a trip to the thread pool would make ten times as dear.
 */
function freeBytes(directories: readonly string[]): number {
  const free = (directory: string) => {
    try {
      const { bfree, bsize } = statfsSync(directory)
      return bfree * bsize
    } catch {
      return 0
    }
  }
  return directories.reduce((sum, directory) => sum + free(directory), 0)
}
