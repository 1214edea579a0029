import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { virtualClock } from '#test/fakes/clock.ts'
import { createReservations } from './index.ts'

const TTL_MS = 3_000
const step = fc.record({
  act: fc.constantFrom('reserve', 'take', 'release', 'wait' as const),
  id: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  ms: fc.integer({ min: 0, max: 2 * TTL_MS }),
})

describe('reservations', () => {
  it('never promise more than there is, and forget what nobody took', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), (slots, steps) => {
        const clock = virtualClock()
        const reservations = createReservations({ slots, clock })
        const taken = new Set<string>()
        for (const { act, id, ms } of steps) {
          if (act === 'reserve') reservations.reserve(id, TTL_MS)
          if (act === 'take' && reservations.take(id)) taken.add(id)
          if (act === 'release') {
            reservations.release(id)
            taken.delete(id)
          }
          if (act === 'wait') clock.advance(ms)
          expect(reservations.busy()).toBeLessThanOrEqual(slots)
          expect(reservations.busy() + reservations.free()).toBe(slots)
        }
        clock.advance(TTL_MS)
        expect(reservations.busy()).toBe(taken.size)
        for (const id of taken) reservations.release(id)
        expect(reservations.busy()).toBe(0)
        expect(clock.waiting()).toBe(0)
      }),
    )
  })

  it('take a bid once, and none that has expired', () => {
    const clock = virtualClock()
    const reservations = createReservations({ slots: 1, clock })
    expect(reservations.reserve('a', TTL_MS)).toBe(true)
    expect(reservations.take('a')).toBe(true)
    expect(reservations.take('a')).toBe(false)
    reservations.release('a')
    expect(reservations.reserve('b', TTL_MS)).toBe(true)
    clock.advance(TTL_MS)
    expect(reservations.take('b')).toBe(false)
  })

  it('tell that there is room again, also when a promise expires', () => {
    const clock = virtualClock()
    const reservations = createReservations({ slots: 1, clock })
    let told = 0
    reservations.onFree(() => {
      told += 1
    })
    reservations.reserve('a', TTL_MS)
    clock.advance(TTL_MS)
    expect(told).toBe(1)
  })
})
