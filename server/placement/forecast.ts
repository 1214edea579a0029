import type { Quantiles } from '#shared/model/index.ts'

/** Times the future is played through. */
const PLAYS = 64

/** What holds or waits for places of this node, and what is asked about. Run times are those of its class, ms, rising. */
export interface Outlook {
  /** Attempts at once. */
  readonly slots: number
  readonly running: readonly { readonly runs: readonly number[]; readonly elapsedMs: number }[]
  /** Those that start before, in order. */
  readonly ahead: readonly (readonly number[])[]
  readonly own: readonly number[]
  /** Run time of which nothing is known, ms. */
  readonly unknownRunMs: number
}

/** When an attempt would start and end, ms from now. `run` and `finish` are null where nothing like it ever ran here. */
export interface Forecast {
  readonly start: Quantiles
  readonly run: Quantiles | null
  readonly finish: Quantiles | null
}

const NOW: Quantiles = { p50: 0, p90: 0 }

/**
 * Plays the queue through many times, with run times drawn from what attempts of each class took. Quantiles of sums and of first
 * ends are not sums of quantiles: of eight attempts the first ends long before the median of each.
 */
export function forecast({ slots, running, ahead, own, unknownRunMs }: Outlook, random: () => number): Forecast {
  const run = own.length > 0 ? quantilesOf(own) : null
  if (running.length + ahead.length < slots) return { start: NOW, run, finish: run }
  const assumed = (runs: readonly number[]) => (runs.length > 0 ? runs : [unknownRunMs])
  const starts: number[] = []
  const ends: number[] = []
  for (let play = 0; play < PLAYS; play++) {
    const free = running.slice(0, slots).map(({ runs, elapsedMs }) => remaining(assumed(runs), elapsedMs, random))
    while (free.length < slots) free.push(0)
    for (const runs of ahead) occupy(free, drawn(assumed(runs), 0, random))
    const start = Math.min(...free)
    starts.push(start)
    if (run) ends.push(start + drawn(own, 0, random))
  }
  const inOrder = (times: number[]) => times.sort((a, b) => a - b)
  return { start: quantilesOf(inOrder(starts)), run, finish: run && quantilesOf(inOrder(ends)) }
}

/** The place that is free first is taken for so long. */
function occupy(free: number[], ms: number): void {
  const first = free.indexOf(Math.min(...free))
  free[first] = (free[first] ?? 0) + ms
}

/** What is left of a run, as those went on that had lasted as long; one that has outlived them all is taken to be half through. */
function remaining(runs: readonly number[], elapsedMs: number, random: () => number): number {
  const longer = firstAbove(runs, elapsedMs)
  return longer === runs.length ? elapsedMs : drawn(runs, longer, random) - elapsedMs
}

/** One of the run times, from an index on. */
function drawn(runs: readonly number[], from: number, random: () => number): number {
  return runs[from + Math.floor(random() * (runs.length - from))] ?? 0
}

function firstAbove(sorted: readonly number[], value: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] ?? 0) > value) high = middle
    else low = middle + 1
  }
  return low
}

/** Median and 90th percentile of rising values; the median of two is the mean of both. */
function quantilesOf(sorted: readonly number[]): Quantiles {
  const at = (share: number): number => {
    const place = share * (sorted.length - 1)
    const below = sorted[Math.floor(place)] ?? 0
    const above = sorted[Math.ceil(place)] ?? below
    return Math.round(below + (above - below) * (place - Math.floor(place)))
  }
  return { p50: at(0.5), p90: at(0.9) }
}
