import { describe, expect, it } from 'vitest'
import type { Disconnect } from '#shared/model/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { createLease, leaseTerms } from './lease.ts'

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

describe('a lease at its worker', () => {
  it('stops the attempt once, its grace before the latest end that it was given', () => {
    const clock = virtualClock()
    let stopped = 0
    const lease = createLease({ clock, graceMs: 10 }, () => {
      stopped += 1
    })
    const start = clock.monotonic()
    lease.extend(start + 100)
    lease.extend(start + 50)
    clock.advance(89)
    lease.extend(start + 200)
    clock.advance(100)
    expect(stopped).toBe(0)
    clock.advance(1)
    expect(stopped).toBe(1)
    lease.extend(start + 300)
    lease.cancel()
    clock.advance(1000)
    expect(stopped).toBe(1)
  })

  it('that is shorter than its grace runs for half of its time', () => {
    const clock = virtualClock()
    let stopped = false
    createLease({ clock, graceMs: 1_000 }, () => {
      stopped = true
    }).extend(clock.monotonic() + 100)
    clock.advance(49)
    expect(stopped).toBe(false)
    clock.advance(1)
    expect(stopped).toBe(true)
  })

  it('is noticed within seconds of waking by a machine that slept through it', () => {
    const clock = virtualClock()
    let slept = 0
    let stopped = 0
    const monotonic = () => clock.monotonic() + slept
    const lease = createLease({ clock: { ...clock, monotonic }, graceMs: 5_000 }, () => {
      stopped += 1
    })
    lease.extend(monotonic() + LEASE)
    clock.advance(1_000)
    slept = HOUR
    clock.advance(5_000)
    expect(stopped).toBe(1)
    expect(clock.waiting()).toBe(0)
  })
})
