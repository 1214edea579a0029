import type { SpecDocumentKind } from '#shared/model/index.ts'

/** What a file is, by where it lies. */
export interface Place {
  /** null for what belongs to no feature, such as the constitution. */
  readonly feature: string | null
  /** Folder of the feature below the work tree. */
  readonly directory: string | null
  readonly kind: SpecDocumentKind
}

const BY_NAME: Readonly<Record<string, SpecDocumentKind>> = {
  'spec.md': 'spec',
  'plan.md': 'plan',
  'tasks.md': 'tasks',
  'research.md': 'research',
  'data-model.md': 'data-model',
  'quickstart.md': 'quickstart',
}

/** @param path below the work tree, with forward slashes @returns null for what is no document of Spec Kit */
export function placeOf(path: string): Place | null {
  if (!path.toLowerCase().endsWith('.md')) return null
  const [, directory, feature, rest] = /^((?:\.specify\/)?specs\/([^/]+))\/(.+)$/.exec(path) ?? []
  if (directory !== undefined && feature !== undefined && rest !== undefined)
    return { feature, directory, kind: /^checklists\/[^/]+$/.test(rest) ? 'checklist' : (BY_NAME[rest] ?? 'other') }
  if (/^(?:\.specify\/)?(?:memory\/)?constitution\.md$/.test(path))
    return { feature: null, directory: null, kind: 'constitution' }
  return /^(?:\.specify|specs)\//.test(path) ? { feature: null, directory: null, kind: 'other' } : null
}
