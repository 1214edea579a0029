import type { PlacementWeights, Terms } from '#shared/model/index.ts'

export interface Score {
  /** Expected ms until done, with penalties; the lowest wins. */
  readonly total: number
  readonly parts: Readonly<Record<string, number>>
}

/**
 * What a bid is worth: when it would start and how long it would run, by the bidder's own account, and what it still lacks.
 * Everything is in ms, so that weights mean something: "a model that is not loaded costs as much as this wait".
 */
export function score(terms: Terms, weights: PlacementWeights): Score {
  const parts = {
    start: terms.startMs,
    run: terms.runMs?.p50 ?? weights.unknownRunMs,
    model: terms.modelLoaded ? 0 : weights.modelLoadMs,
    modelAtHome: terms.modelLocal ? 0 : weights.modelAtHomeMs,
    repository: terms.repositoryCached ? 0 : weights.repositoryMs,
    load: terms.load * weights.loadMs,
  }
  return { total: Object.values(parts).reduce((sum, part) => sum + part, 0), parts }
}

/** The best of several scores; among equals, any. @returns its index, -1 for none. */
export function best(totals: readonly number[], random: () => number): number {
  const lowest = Math.min(...totals)
  const equals = totals.flatMap((total, index) => (total === lowest ? [index] : []))
  return equals[Math.floor(random() * equals.length)] ?? -1
}
