import type { Clock } from '#server/lib/clock.ts'

const MINUTE_MS = 60_000

/** A bucket counts in 60,000ths of a request, which refill at `requestsPerMinute` of them a ms: whole numbers, no rounding. */
const REQUEST = MINUTE_MS

interface Bucket {
  level: number
  at: number
}

/** One token bucket a caller, which holds a minute's worth and refills evenly. */
export interface RateLimit {
  /** Takes one request. @returns 0, or the ms until one would be allowed. */
  take(caller: string): number
  /** Callers remembered now. */
  readonly size: number
}

/** Full buckets are forgotten in passing, at most once a minute, so that an idle node needs no timer. */
export function createRateLimit(requestsPerMinute: number, clock: Pick<Clock, 'monotonic'>): RateLimit {
  const buckets = new Map<string, Bucket>()
  const full = requestsPerMinute * REQUEST
  let sweptAt = clock.monotonic()

  const levelAt = ({ level, at }: Bucket, now: number) => Math.min(full, level + (now - at) * requestsPerMinute)
  const sweep = (now: number) => {
    sweptAt = now
    for (const [caller, bucket] of buckets) if (levelAt(bucket, now) >= full) buckets.delete(caller)
  }

  return {
    take(caller) {
      const now = clock.monotonic()
      if (now - sweptAt >= MINUTE_MS) sweep(now)
      const bucket = buckets.get(caller) ?? { level: full, at: now }
      bucket.level = levelAt(bucket, now)
      bucket.at = now
      buckets.set(caller, bucket)
      if (bucket.level < REQUEST) return Math.ceil((REQUEST - bucket.level) / requestsPerMinute)
      bucket.level -= REQUEST
      return 0
    },
    get size() {
      return buckets.size
    },
  }
}
