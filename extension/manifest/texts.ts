/** Keys of a manifest whose values people read. */
const READ = new Set([
  'title',
  'name',
  'displayName',
  'fullName',
  'description',
  'userDescription',
  'contents',
  'altText',
  'markdownDescription',
  'markdownEnumDescriptions',
  'contextualTitle',
])
/** `name` is a text for a view, and an identifier of the extension, a participant, its commands and tools. */
const isText = (key: string, path: readonly string[]) =>
  READ.has(key) &&
  !(key === 'name' && !path.includes('views')) &&
  !path.includes('inputSchema') &&
  !path.includes('disambiguation')

/**
 * Takes the texts out of a manifest, as the editor wants it for translations.
 * @returns the manifest with `%key%` in their places, and the texts by key
 */
export function takeTexts(manifest: object): { manifest: object; texts: Record<string, string> } {
  const texts: Record<string, string> = {}
  function walk(value: unknown, path: readonly string[]): unknown {
    const key = path.at(-1) ?? ''
    if (Array.isArray(value)) return value.map((item, index) => walk(item, [...path, nameOf(item) ?? String(index)]))
    if (value !== null && typeof value === 'object')
      return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, walk(child, [...path, name])]))
    const named = /^\d+$/.test(key) ? (path.at(-2) ?? '') : key
    if (typeof value !== 'string' || !isText(named, path)) return value
    const id = path.filter(part => part !== 'contributes').join('.')
    texts[id] = value
    return `%${id}%`
  }
  return { manifest: walk(manifest, []) as object, texts }
}

/** What an item of a list is called by, so that a translation outlives a change of the order. */
function nameOf(item: unknown): string | null {
  if (item === null || typeof item !== 'object') return null
  const { id, command, name, when } = item as Record<string, unknown>
  if (typeof when === 'string' && typeof command !== 'string') return null
  return [id, command, name].find(value => typeof value === 'string') ?? null
}
