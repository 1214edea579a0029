import { copyFile, stat, utimes } from 'node:fs/promises'

/**
 * Copies an index and its age. Git trusts an entry's stat data only if the file is older than the index; a copy that looked younger
 * would have it take a file for unchanged that was changed in the second in which the index was written.
 * @returns whether there was one
 */
export async function copyIndex(from: string, to: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(from)
    await copyFile(from, to)
    // A little older than it is, so that no rounding makes it younger: then git looks twice, which does no harm.
    const seconds = Math.floor(mtimeMs - 1) / 1000
    await utimes(to, seconds, seconds)
    return true
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw cause
  }
}
