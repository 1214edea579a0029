export interface Estimate {
  readonly median: number
  readonly low: number
  readonly high: number
  /** Probability that the true median lies between `low` and `high`. */
  readonly confidence: number
  readonly samples: number
}

/**
 * Median with an interval of at least 95 % where the number of samples allows one, from order statistics: whatever the
 * distribution, the true median lies between the k-th smallest and the k-th largest of n samples with probability
 * 1 - 2 P(B(n, 1/2) < k) (David and Nagaraja, Order Statistics, 7.1). Below 6 samples it is the whole range, and says so.
 * @throws {Error} without samples.
 */
export function estimateMedian(samples: readonly number[]): Estimate {
  const sorted = [...samples].sort((x, y) => x - y)
  const n = sorted.length
  const at = (rank: number) => {
    const value = sorted[rank]
    if (value === undefined) throw new Error('A median needs samples')
    return value
  }
  let rank = 0
  while (2 * (rank + 1) < n && coverage(n, rank + 1) >= 0.95) rank += 1
  const median = n % 2 === 1 ? at((n - 1) / 2) : (at(n / 2 - 1) + at(n / 2)) / 2
  return { median, low: at(rank), high: at(n - 1 - rank), confidence: coverage(n, rank), samples: n }
}

/** Probability that the median lies between the sorted samples number `rank` and `n - 1 - rank`, counted from 0. */
function coverage(n: number, rank: number): number {
  let term = 0.5 ** n
  let tail = 0
  for (let k = 0; k <= rank; k++) {
    tail += term
    term = (term * (n - k)) / (k + 1)
  }
  return 1 - 2 * tail
}
