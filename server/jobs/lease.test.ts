import { describe, expect, it } from 'vitest'
import type { Disconnect } from '#shared/model/index.ts'
import { leaseTerms } from './lease.ts'

const LEASE = 90_000
const HOUR = 3_600_000
const terms = (disconnect?: Disconnect, more: { isLast?: boolean; hasAside?: boolean } = {}) =>
  leaseTerms(LEASE, { disconnect, isLast: false, hasAside: false, ...more })

describe('the terms of a lease', () => {
  it('are the settings of the node where a job says nothing, or replace', () => {
    expect(terms()).toEqual({ leaseMs: LEASE, waitMs: LEASE * 1.05, outcome: 'lost' })
    expect(terms({ kind: 'replace' })).toEqual(terms())
  })

  it('cover the time a job waits, and are never shorter than the settings', () => {
    expect(terms({ kind: 'wait', ms: 2 * HOUR })).toEqual({ leaseMs: 2 * HOUR, waitMs: 2 * HOUR * 1.05, outcome: 'lost' })
    expect(terms({ kind: 'wait', ms: 1 })).toEqual(terms())
  })

  it('let the worker of a job that keeps both go on when its home goes on without it', () => {
    const { leaseMs, waitMs, outcome } = terms({ kind: 'keep-both' })
    expect({ waitMs, outcome }).toEqual({ waitMs: LEASE * 1.05, outcome: 'aside' })
    expect(leaseMs).toBeGreaterThan(24 * HOUR)
  })

  it('set no second attempt aside', () => {
    expect(terms({ kind: 'keep-both' }, { hasAside: true })).toEqual(terms())
  })

  it('wait for the last attempt a job may have, since no other could follow', () => {
    expect(terms({ kind: 'keep-both' }, { isLast: true }).outcome).toBe('lost')
    expect(terms({ kind: 'keep-both' }, { isLast: true }).waitMs).toBeGreaterThan(24 * HOUR)
  })

  it.each<Disconnect | undefined>([undefined, { kind: 'replace' }, { kind: 'wait', ms: HOUR }, { kind: 'keep-both' }])(
    'end at the worker before %j is taken for lost',
    disconnect => {
      for (const isLast of [false, true])
        for (const hasAside of [false, true]) {
          const { leaseMs, waitMs, outcome } = terms(disconnect, { isLast, hasAside })
          if (outcome === 'lost') expect(leaseMs).toBeLessThan(waitMs)
        }
    },
  )
})
