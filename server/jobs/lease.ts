import type { Clock } from '#server/lib/clock.ts'
import { type Disconnect, LONGEST_AWAY_MS } from '#shared/model/index.ts'

/** How much later than the worker the home ends a lease: clocks differ in rate by much less. */
export const MARGIN = 1.05
/** The first lease of an attempt, ms at most: it is renewed as soon as the award is answered, and is all that a lost answer costs. */
export const FIRST_LEASE_MS = 30_000

/** How often a worker looks at a lease, ms: timers stand still while a machine sleeps, and one that wakes has to notice soon. */
const LOOK_MS = 5_000

/** How long the two nodes of an attempt go on without each other, ms, and what its home does then. */
export interface LeaseTerms {
  /** How long the worker goes on; it stops first, whatever its home does. */
  readonly leaseMs: number
  /** How long the home waits. */
  readonly waitMs: number
  /** `aside`: the job goes on without the attempt, which may still finish. */
  readonly outcome: 'lost' | 'aside'
}

/**
 * The terms of a job's newest attempt.
 * @param job.isLast whether the job would fail, were this attempt lost: then there is nothing to gain by setting it aside
 * @param job.hasAside whether another attempt is set aside already: one is kept beside the newest, no more
 */
export function leaseTerms(
  leaseMs: number,
  job: { readonly disconnect: Disconnect | undefined; readonly isLast: boolean; readonly hasAside: boolean },
): LeaseTerms {
  const until = (ms: number): LeaseTerms => ({ leaseMs: ms, waitMs: ms * MARGIN, outcome: 'lost' })
  switch (job.disconnect?.kind) {
    case undefined:
    case 'replace':
      return until(leaseMs)
    case 'wait':
      return until(Math.max(leaseMs, job.disconnect.ms))
    case 'keep-both':
      if (job.hasAside) return until(leaseMs)
      if (job.isLast) return until(LONGEST_AWAY_MS)
      return { leaseMs: LONGEST_AWAY_MS, waitMs: leaseMs * MARGIN, outcome: 'aside' }
  }
}

/** The lease of an attempt at its worker: nothing of the attempt runs any more when it ends, before its home takes it for lost. */
export interface Lease {
  /** It ends then, on the monotonic clock, ms; an earlier end than there is changes nothing. */
  extend(until: number): void
  cancel(): void
}

/** @param stop stops the attempt, `graceMs` before the end: what it runs may need that long */
export function createLease(
  { clock, graceMs }: { clock: Pick<Clock, 'after' | 'monotonic'>; graceMs: number },
  stop: () => void,
): Lease {
  let end = 0
  let stopAt = 0
  let cancel = () => {}

  function look(): void {
    const left = stopAt - clock.monotonic()
    cancel = clock.after(Math.max(0, Math.min(left, LOOK_MS)), () => (clock.monotonic() >= stopAt ? stop() : look()))
  }

  return {
    extend(until) {
      if (until <= end) return
      cancel()
      end = until
      const left = Math.max(0, until - clock.monotonic())
      stopAt = until - Math.min(graceMs, left / 2)
      look()
    },
    cancel: () => cancel(),
  }
}
