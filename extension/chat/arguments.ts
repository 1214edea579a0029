/** What stands after `/status`: a job, or words to look for. */
export type StatusArgument = { readonly jobId: string } | { readonly words: readonly string[] }

export function statusArgument(prompt: string): StatusArgument {
  const text = prompt.trim()
  if (/^[0-9a-z]{14}$/.test(text)) return { jobId: text }
  return {
    words: text
      .toLowerCase()
      .split(/\s+/)
      .filter(word => word !== ''),
  }
}

/** What stands after `/spec`: the name of a feature or a part of it, and the id of a task, in any order. */
export interface SpecArgument {
  readonly feature: string | null
  readonly task: string | null
}

export function specArgument(prompt: string): SpecArgument {
  const words = prompt
    .trim()
    .split(/\s+/)
    .filter(word => word !== '')
  const isTask = (word: string) => /^t\d{1,6}[a-z]?$/i.test(word)
  const task = words.find(isTask) ?? null
  const feature = words.filter(word => !isTask(word)).join(' ')
  return { feature: feature === '' ? null : feature, task: task === null ? null : `T${task.slice(1).toLowerCase()}` }
}

/** The one feature that is meant: by its name, else by how it begins, else by a part of its name or title; null: none, or more than one. */
export function findFeature<F extends { readonly feature: string; readonly title: string }>(
  features: readonly F[],
  wanted: string | null,
): F | null {
  if (wanted === null) return features.length === 1 ? (features[0] ?? null) : null
  const text = wanted.toLowerCase()
  const ways: ((feature: F) => boolean)[] = [
    ({ feature }) => feature.toLowerCase() === text,
    ({ feature }) => feature.toLowerCase().startsWith(text),
    ({ feature, title }) => feature.toLowerCase().includes(text) || title.toLowerCase().includes(text),
  ]
  for (const fits of ways) {
    const found = features.filter(fits)
    if (found.length === 1) return found[0] ?? null
    if (found.length > 1) return null
  }
  return null
}
