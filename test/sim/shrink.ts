/**
 * The smallest part of a list that still fails, as far as leaving out one piece at a time can tell (ddmin, Zeller and Hildebrandt
 * 2002).
 */
export async function shrink<T>(list: readonly T[], fails: (part: readonly T[]) => Promise<boolean>): Promise<readonly T[]> {
  let current = list
  for (let pieces = 2; current.length > 0; ) {
    const size = Math.ceil(current.length / pieces)
    let found: readonly T[] | null = null
    for (let start = 0; start < current.length && !found; start += size) {
      const without = current.filter((_, index) => index < start || index >= start + size)
      if (await fails(without)) found = without
    }
    if (found) {
      current = found
      pieces = Math.max(2, pieces - 1)
    } else if (size === 1) return current
    else pieces = Math.min(current.length, 2 * pieces)
  }
  return current
}
