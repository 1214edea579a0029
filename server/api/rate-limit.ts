import type { Clock } from '#server/lib/clock.ts'

const MINUTE_MS = 60_000

interface Bucket {
  tokens: number
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
  const perMs = requestsPerMinute / MINUTE_MS
  let sweptAt = clock.monotonic()

  const level = (bucket: Bucket, now: number) => Math.min(requestsPerMinute, bucket.tokens + (now - bucket.at) * perMs)
  const sweep = (now: number) => {
    sweptAt = now
    for (const [caller, bucket] of buckets) if (level(bucket, now) >= requestsPerMinute) buckets.delete(caller)
  }

  return {
    take(caller) {
      const now = clock.monotonic()
      if (now - sweptAt >= MINUTE_MS) sweep(now)
      const bucket = buckets.get(caller) ?? { tokens: requestsPerMinute, at: now }
      bucket.tokens = level(bucket, now)
      bucket.at = now
      buckets.set(caller, bucket)
      if (bucket.tokens < 1) return Math.ceil((1 - bucket.tokens) / perMs)
      bucket.tokens -= 1
      return 0
    },
    get size() {
      return buckets.size
    },
  }
}
