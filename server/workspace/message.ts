const SHOWN = 20

/** The first few of many paths, for a sentence; quoted, because a name may hold anything. */
export function list(paths: readonly string[]): string {
  const more = paths.length - SHOWN
  const shown = paths.slice(0, SHOWN).map(path => JSON.stringify(path))
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
