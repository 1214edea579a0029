import { describe, expect, it } from 'vitest'
import { createSystemClock } from './clock.ts'

/** A machine whose two clocks differ by what it slept, the second read as coarsely as Linux shows it. */
function machine() {
  let awake = 5_000
  let slept = 90_000
  const clock = createSystemClock({
    now: () => 0,
    awake: () => awake,
    sinceBoot: () => Math.floor((awake + slept) / 10) * 10,
  })
  return {
    clock,
    work(ms: number) {
      awake += ms
    },
    sleep(ms: number) {
      slept += ms
    },
  }
}

describe('the monotonic clock', () => {
  it('counts what the machine is awake, to the fraction', () => {
    const { clock, work } = machine()
    const begun = clock.monotonic()
    for (let n = 0; n < 10_000; n++) {
      work(0.7)
      clock.monotonic()
    }
    expect(clock.monotonic() - begun).toBeCloseTo(7_000, 6)
  })

  it('counts what it slept, once it has been awake for a second', () => {
    const { clock, work, sleep } = machine()
    const begun = clock.monotonic()
    sleep(3_600_000)
    work(1_000)
    expect(clock.monotonic() - begun).toBeGreaterThan(3_600_980)
    work(1_000)
    expect(clock.monotonic() - begun).toBeLessThan(3_602_020)
  })

  it('never steps back', () => {
    const { clock, work, sleep } = machine()
    let last = clock.monotonic()
    for (let n = 0; n < 1_000; n++) {
      work((n * 37) % 900)
      if (n % 50 === 0) sleep((n * 101) % 5_000)
      const time = clock.monotonic()
      expect(time).toBeGreaterThanOrEqual(last)
      last = time
    }
  })
})
