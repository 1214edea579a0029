import type { Correction, PlacementWeights, Quantiles, Terms, Trust } from '#shared/model/index.ts'

export interface Score {
  /** Expected ms until done, with penalties; the lowest wins. */
  readonly total: number
  readonly parts: Readonly<Record<string, number>>
}

/** What a home knows of a bidder by itself. */
export interface Bidder {
  readonly correction: Correction
  readonly trust: Trust
}

const HOUR_MS = 3_600_000
/** A machine with more than this many programs a core is no worse: it will have thrown them out, or be given up by its owner. */
const MOST_LOAD = 4

/** The mean of what is between exact (p50 = p90) and exponential, to 2 %. */
const expected = ({ p50, p90 }: Quantiles): number => 0.8 * p50 + 0.2 * Math.max(p50, p90)

/** When the attempt should start and how long it should run, by the bidder's own account, ms. */
export function promisedOf(terms: Terms, weights: Pick<PlacementWeights, 'unknownRunMs'>): { startMs: number; runMs: number } {
  const { startMs, start90Ms, runMs, finishMs } = terms
  const start = expected({ p50: startMs, p90: start90Ms ?? startMs })
  if (!runMs) return { startMs: Math.round(start), runMs: weights.unknownRunMs }
  // Of the sum only the bidder knows the quantiles; it may not be shorter than the run.
  const run = finishMs ? Math.max(expected(runMs), expected(finishMs) - start) : expected(runMs)
  return { startMs: Math.round(start), runMs: Math.round(run) }
}

/**
 * What a bid is worth: when it would start and how long it would run, corrected by what came of this node's promises before, and
 * what it lacks. Everything is in ms of run time, so that a weight says what it means: "a model that is not loaded costs as much as
 * running so much longer". Waiting weighs more than running (`startWeight`): a home that waits for the fastest node makes all
 * others wait behind it, and in the end itself. docs/placement.md has every term.
 */
export function score(terms: Terms, { correction, trust }: Bidder, weights: PlacementWeights): Score {
  const { startMs, runMs } = promisedOf(terms, weights)
  const overload = Math.min(MOST_LOAD, Math.max(0, (terms.loadPerCore ?? 0) - 1))
  const parts = {
    start: startMs * weights.startWeight,
    late: correction.lateMs * weights.startWeight,
    run: runMs,
    longer: runMs * (correction.runFactor - 1),
    model: terms.modelLoaded ? 0 : weights.modelLoadMs,
    modelAtHome: terms.modelLocal ? 0 : weights.modelAtHomeMs,
    repository: terms.repositoryCached ? 0 : weights.repositoryMs,
    image: terms.imageCached ? 0 : weights.imageMs,
    dependencies: terms.dependencyCached ? 0 : weights.dependencyMs,
    load: terms.load * weights.loadMs,
    machine: overload * weights.machineLoadMs,
    power: terms.power === 'battery' ? weights.batteryMs : 0,
    price: ((terms.price ?? 0) * runMs * weights.priceMs) / HOUR_MS,
    trust: trust === 'granted' ? weights.grantedMs : 0,
  }
  const rounded = Object.fromEntries(Object.entries(parts).map(([name, ms]) => [name, Math.round(ms)]))
  return { total: Object.values(rounded).reduce((sum, part) => sum + part, 0), parts: rounded }
}

/** The best of several scores, infinite for no bid; among equals, any. @returns its index, -1 for none. */
export function best(totals: readonly number[], random: () => number): number {
  const lowest = Math.min(...totals)
  if (lowest === Number.POSITIVE_INFINITY) return -1
  const equals = totals.flatMap((total, index) => (total === lowest ? [index] : []))
  return equals[Math.floor(random() * equals.length)] ?? -1
}

/** Past this no promise means anything, ms; numbers beyond what is exact could be neither added up nor stored. */
const MOST_PROMISED = 1e12

/** Terms whose numbers can be reckoned with, whatever a bidder wrote. */
export function bounded(terms: Terms): Terms {
  const most = (_: string, value: unknown) => (typeof value === 'number' ? Math.min(value, MOST_PROMISED) : value)
  return JSON.parse(JSON.stringify(terms), most) as Terms
}
