import type { SpecFeature, SpecFeatureSummary } from '#shared/model/index.ts'
import { createSignal, type Listen } from './signal.ts'

/** What the mirror asks of the orchestrator. */
export interface SpecSource {
  list(repository: string): Promise<{ items: SpecFeatureSummary[]; isComplete: boolean }>
  get(repository: string, feature: string): Promise<SpecFeature>
}

/** The specs of one folder of the editor. */
export interface SpecFolder {
  /** Absolute path. */
  readonly repository: string
  readonly features: readonly SpecFeatureSummary[]
  /** False when there are more features than the orchestrator reads. */
  readonly isComplete: boolean
  /** Why they could not be read; null when they were. */
  readonly failure: string | null
}

/** Something became different. */
export type SpecsChange =
  /** Which features there are, or whether they could be read. */
  | { readonly what: 'features' }
  | { readonly what: 'summary'; readonly repository: string; readonly feature: string }
  | {
      readonly what: 'feature'
      readonly repository: string
      readonly feature: string
      readonly before: SpecFeature
      readonly after: SpecFeature
    }

export interface Specs {
  /** In the order of the editor, as far as they were read. */
  folders(): readonly SpecFolder[]
  /** A feature with all that is in it, once {@link open} read it. */
  feature(repository: string, name: string): SpecFeature | undefined
  /** Reads a feature; from then on it is kept up. @throws {BackendError} */
  open(repository: string, name: string): Promise<SpecFeature>
  setFolders(repositories: readonly string[]): void
  /** What was read of these folders counts no more; null: of all. It is read by the next {@link refresh}. */
  forget(repositories: readonly string[] | null): void
  /** Reads what is not as it was any more. Never fails: a folder keeps why it could not be read. */
  refresh(): Promise<void>
  readonly onChange: Listen<SpecsChange>
}

export interface SpecsOptions {
  readonly source: SpecSource
  /** One sentence for a person. */
  readonly sentence: (error: unknown) => string
}

const keyOf = (repository: string, feature: string) => `${repository}\n${feature}`
const isSame = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other)

/** A mirror of the specs of the editor's folders: all their features by a line each, and those in full that somebody opened. */
export function createSpecs({ source, sentence }: SpecsOptions): Specs {
  const changes = createSignal<SpecsChange>()
  const folders = new Map<string, SpecFolder>()
  const opened = new Map<string, SpecFeature>()
  const stale = new Set<string>()
  let order: readonly string[] = []
  let reading: Promise<void> | null = null

  function isKnown(repository: string): boolean {
    return order.includes(repository)
  }
  function learnFolder(next: SpecFolder): void {
    const before = folders.get(next.repository)
    folders.set(next.repository, next)
    const names = (folder: SpecFolder | undefined) => [folder?.features.map(({ feature }) => feature), folder?.failure]
    if (!isSame(names(before), names(next))) {
      changes.emit({ what: 'features' })
      return
    }
    for (const [at, summary] of next.features.entries())
      if (!isSame(summary, before?.features[at]))
        changes.emit({ what: 'summary', repository: next.repository, feature: summary.feature })
  }
  function learnFeature(repository: string, after: SpecFeature): SpecFeature {
    const key = keyOf(repository, after.feature)
    const before = opened.get(key)
    // What stayed the same stays the same object: whoever made rows of it keeps them.
    if (before && isSame(before, after)) return before
    opened.set(key, after)
    if (before) changes.emit({ what: 'feature', repository, feature: after.feature, before, after })
    return after
  }
  async function readFolder(repository: string): Promise<void> {
    try {
      const { items, isComplete } = await source.list(repository)
      if (!isKnown(repository)) return
      const names = new Set(items.map(({ feature }) => feature))
      const kept = [...(folders.get(repository)?.features ?? [])].filter(({ feature }) => opened.has(keyOf(repository, feature)))
      for (const { feature } of kept) if (!names.has(feature)) opened.delete(keyOf(repository, feature))
      const again = kept.filter(({ feature }) => names.has(feature))
      // One that goes away meanwhile is not in the next list.
      const read = await Promise.all(again.map(({ feature }) => source.get(repository, feature).catch(() => null)))
      if (!isKnown(repository)) return
      for (const feature of read) if (feature) learnFeature(repository, feature)
      learnFolder({ repository, features: items, isComplete, failure: null })
    } catch (error) {
      if (!isKnown(repository)) return
      const before = folders.get(repository)
      learnFolder({ repository, features: before?.features ?? [], isComplete: true, failure: sentence(error) })
    }
  }
  /** One round at a time; what came meanwhile is read in the next. */
  async function readStale(): Promise<void> {
    while (stale.size > 0) {
      const round = order.filter(repository => stale.has(repository))
      stale.clear()
      await Promise.all(round.map(readFolder))
    }
  }

  return {
    folders: () => order.flatMap(repository => folders.get(repository) ?? []),
    feature: (repository, name) => opened.get(keyOf(repository, name)),
    async open(repository, name) {
      return opened.get(keyOf(repository, name)) ?? learnFeature(repository, await source.get(repository, name))
    },
    setFolders(repositories) {
      const gone = order.filter(repository => !repositories.includes(repository))
      for (const repository of repositories) if (!isKnown(repository)) stale.add(repository)
      order = repositories
      for (const repository of gone) {
        for (const { feature } of folders.get(repository)?.features ?? []) opened.delete(keyOf(repository, feature))
        folders.delete(repository)
        stale.delete(repository)
      }
      if (gone.length > 0) changes.emit({ what: 'features' })
    },
    forget(repositories) {
      for (const repository of repositories ?? order) if (isKnown(repository)) stale.add(repository)
    },
    refresh() {
      reading ??= readStale().finally(() => {
        reading = null
      })
      return reading
    },
    onChange: changes.listen,
  }
}
