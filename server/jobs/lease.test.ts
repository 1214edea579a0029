import { describe, expect, it } from 'vitest'
import { leaseTerms } from './lease.ts'

const LEASE = 90_000
const HOUR = 3_600_000

describe('the terms of a lease', () => {
  it('are the settings of the node where a job says nothing, or replace', () => {
    expect(leaseTerms(LEASE, undefined)).toEqual({ leaseMs: LEASE, waitMs: LEASE * 1.05 })
    expect(leaseTerms(LEASE, { kind: 'replace' })).toEqual(leaseTerms(LEASE, undefined))
  })

  it('cover the time a job waits, and are never shorter than the settings', () => {
    expect(leaseTerms(LEASE, { kind: 'wait', ms: 2 * HOUR })).toEqual({ leaseMs: 2 * HOUR, waitMs: 2 * HOUR * 1.05 })
    expect(leaseTerms(LEASE, { kind: 'wait', ms: 1 })).toEqual(leaseTerms(LEASE, undefined))
  })
})
