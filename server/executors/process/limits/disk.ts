import { lstat, readdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '#server/lib/clock.ts'

/** Bytes on disk under the directories: blocks, not lengths; a file with several names counts once; links are not followed. */
export async function diskUsage(directories: readonly string[]): Promise<number> {
  const seen = new Set<string>()
  let bytes = 0
  const pending = [...directories]
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const entries = await readdir(directory, { withFileTypes: true }).catch(() => [])
    for (const entry of entries) {
      const path = join(directory, entry.name)
      if (entry.isDirectory()) pending.push(path)
      // What is gone since it was listed takes no space.
      const stat = await lstat(path).catch(() => null)
      if (!stat) continue
      if (stat.nlink > 1 && !entry.isDirectory()) {
        const name = `${stat.dev}:${stat.ino}`
        if (seen.has(name)) continue
        seen.add(name)
      }
      bytes += stat.blocks * 512
    }
  }
  return bytes
}

const LOOK_MS = 1000
/** A full count at least this often, whatever the file system's own figure says. */
const COUNT_EVERY = 30

/**
 * Watches the directories until stopped, and calls once when they hold more than `limitBytes`. A full count walks the tree, so
 * it is made only when the file system has lost half of the room that was left at the last count; every second costs one statfs.
 * @returns stop
 */
export function watchDisk(deps: {
  clock: Clock
  directories: readonly string[]
  limitBytes: number
  exceeded: () => void
}): () => void {
  const { clock, directories, limitBytes, exceeded } = deps
  let cancel = () => {}
  let stopped = false
  let room = 0
  let freeAtCount = Number.POSITIVE_INFINITY
  let looks = COUNT_EVERY

  const look = async () => {
    const free = await freeBytes(directories)
    if (++looks >= COUNT_EVERY || freeAtCount - free >= room / 2) {
      looks = 0
      freeAtCount = free
      room = limitBytes - (await diskUsage(directories))
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

async function freeBytes(directories: readonly string[]): Promise<number> {
  const systems = await Promise.all(directories.map(directory => statfs(directory).catch(() => null)))
  return systems.reduce((sum, system) => sum + (system ? system.bfree * system.bsize : 0), 0)
}
