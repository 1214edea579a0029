import type { Disconnect } from '#shared/model/index.ts'

/** How much later than the worker the home ends a lease: clocks differ in rate by much less. */
export const MARGIN = 1.05
/** The first lease of an attempt, ms at most: it is renewed as soon as the award is answered, and is all that a lost answer costs. */
export const FIRST_LEASE_MS = 30_000

/** How long the two nodes of an attempt go on without each other, ms. */
export interface LeaseTerms {
  /** How long the worker goes on; it stops first, whatever its home does. */
  readonly leaseMs: number
  /** How long the home waits until it takes the attempt for lost. */
  readonly waitMs: number
}

/** The terms of an attempt, by the settings of its home and by what its job says. */
export function leaseTerms(leaseMs: number, disconnect: Disconnect | undefined): LeaseTerms {
  const ms = disconnect?.kind === 'wait' ? Math.max(leaseMs, disconnect.ms) : leaseMs
  return { leaseMs: ms, waitMs: ms * MARGIN }
}
