import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { virtualClock } from '#test/fakes/clock.ts'
import { createReservations, type Reservations } from './index.ts'

const TTL_MS = 3_000
const CLASS = { agent: 'command', executor: 'process', model: null, repository: null }
const step = fc.record({
  act: fc.constantFrom('reserve', 'take', 'release', 'wait', 'sendBack' as const),
  id: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
  ms: fc.integer({ min: 0, max: 2 * TTL_MS }),
})

const never = new AbortController().signal

function make(slots: number, waitingPlaces: number) {
  const clock = virtualClock()
  const reservations = createReservations({ slots, waitingPlaces, clock })
  const reserve = (id: string) => reservations.reserve(id, TTL_MS, CLASS)
  const take = (id: string) => reserve(id) !== null && reservations.take(id)
  return { clock, reservations, reserve, take }
}

/** Whether a taken attempt has its slot now. */
async function hasSlot(reservations: Reservations, id: string): Promise<boolean> {
  const soon = new Promise<boolean>(resolve => setImmediate(() => resolve(false)))
  return Promise.race([reservations.slot(id, never), soon])
}

describe('reservations', () => {
  it('never promise more than there is, let nobody wait while a slot is free, and forget what nobody took', async () => {
    const sizes = fc.record({ slots: fc.integer({ min: 1, max: 3 }), waitingPlaces: fc.integer({ min: 0, max: 3 }) })
    await fc.assert(
      fc.asyncProperty(sizes, fc.array(step, { maxLength: 60 }), async ({ slots, waitingPlaces }, steps) => {
        const { clock, reservations, reserve } = make(slots, waitingPlaces)
        const running = new Set<string>()
        const waiting = new Set<string>()
        for (const { act, id, ms } of steps) {
          if (act === 'reserve') reserve(id)
          if (act === 'take' && reservations.take(id)) {
            waiting.add(id)
            void reservations.slot(id, never).then(got => {
              waiting.delete(id)
              if (got) running.add(id)
            })
          }
          if (act === 'release') {
            reservations.release(id)
            running.delete(id)
          }
          if (act === 'wait') clock.advance(ms)
          if (act === 'sendBack') reservations.sendBack()
          await Promise.resolve()
          await Promise.resolve()
          expect(running.size).toBeLessThanOrEqual(reservations.busy())
          expect(reservations.busy()).toBeLessThanOrEqual(slots)
          expect(reservations.waiting()).toBeLessThanOrEqual(Math.max(waitingPlaces, 0))
          if (waiting.size > 0) expect(reservations.busy()).toBe(slots)
        }
        clock.advance(TTL_MS)
        expect(reservations.busy() + reservations.waiting()).toBe(running.size + waiting.size)
        for (const id of [...running, ...waiting]) reservations.release(id)
        expect(reservations.busy() + reservations.waiting()).toBe(0)
        expect(clock.waiting()).toBe(0)
      }),
    )
  })

  it('take a bid once, and none that has expired', () => {
    const { clock, reservations, reserve } = make(1, 0)
    expect(reserve('a')).toBe(0)
    expect(reservations.take('a')).toBe(true)
    expect(reservations.take('a')).toBe(false)
    reservations.release('a')
    expect(reserve('b')).toBe(0)
    clock.advance(TTL_MS)
    expect(reservations.take('b')).toBe(false)
  })

  it('tell that there is room again, also when a promise expires', () => {
    const { clock, reservations, reserve } = make(1, 0)
    let told = 0
    reservations.onFree(() => {
      told += 1
    })
    reserve('a')
    clock.advance(TTL_MS)
    expect(told).toBe(1)
  })

  it('say how many must end first, and let those that wait move up in their order', async () => {
    const { reservations, reserve, take } = make(2, 2)
    expect([take('a'), take('b')]).toEqual([true, true])
    expect([reserve('c'), reserve('d'), reserve('e')]).toEqual([1, 2, null])
    expect([reservations.take('c'), reservations.take('d')]).toEqual([true, true])
    expect([await hasSlot(reservations, 'a'), await hasSlot(reservations, 'c')]).toEqual([true, false])
    reservations.release('b')
    expect([await hasSlot(reservations, 'c'), await hasSlot(reservations, 'd')]).toEqual([true, false])
    expect(reservations.occupancy()).toMatchObject({ running: [{}, {}], waiting: [CLASS] })
  })

  it('give a free slot to what was taken: a promise keeps its turn and holds up nobody', async () => {
    const { clock, reservations, reserve, take } = make(1, 2)
    take('a')
    expect(reserve('promised')).toBe(1)
    expect(take('c')).toBe(true)
    reservations.release('a')
    expect(await hasSlot(reservations, 'c')).toBe(true)
    reservations.take('promised')
    clock.advance(TTL_MS)
    reservations.release('c')
    expect(await hasSlot(reservations, 'promised')).toBe(true)
  })

  it('let nobody wait who must not', () => {
    const { reservations, take } = make(1, 2)
    take('a')
    expect(reservations.reserve('b', TTL_MS, CLASS, { mayWait: false })).toBeNull()
  })

  it('end the waiting of an attempt that is stopped or sent back, and of it alone', async () => {
    const { reservations, take } = make(1, 2)
    for (const id of ['a', 'b', 'c']) take(id)
    const stopped = new AbortController()
    const waits = [reservations.slot('b', stopped.signal), reservations.slot('c', never)]
    stopped.abort(new Error('stopped'))
    await expect(waits[0]).rejects.toThrow('stopped')
    reservations.release('b')
    reservations.sendBack()
    expect(await waits[1]).toBe(false)
    expect([reservations.busy(), reservations.waiting(), await hasSlot(reservations, 'a')]).toEqual([1, 0, true])
  })
})
