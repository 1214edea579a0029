import type { Clock } from '#server/lib/clock.ts'

/** More than a home can have under way; past it the oldest is forgotten. */
const MOST = 1_000

/** Attempts that were told to be over before their award arrived. */
export interface SettledAhead {
  note(attempt: string): void
  has(attempt: string): boolean
}

/**
 * Messages overtake each other: a home that gives up a job while its award is on the way says so, and the award comes after. It has to
 * be refused then, for nobody would ever ask after the attempt. @param ttlMs how long a bid holds: a later award is refused by that
 */
export function createSettledAhead({ clock, ttlMs }: { clock: Pick<Clock, 'monotonic'>; ttlMs: number }): SettledAhead {
  /** Oldest first. */
  const until = new Map<string, number>()
  return {
    note(attempt) {
      until.delete(attempt)
      until.set(attempt, clock.monotonic() + ttlMs)
      for (const [name, end] of until) {
        if (end > clock.monotonic() && until.size <= MOST) break
        until.delete(name)
      }
    },
    has: attempt => (until.get(attempt) ?? Number.NEGATIVE_INFINITY) > clock.monotonic(),
  }
}
