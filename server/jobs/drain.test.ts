import { describe, expect, it } from 'vitest'
import { createLog } from '#server/telemetry/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { memoryDrain } from '#test/fakes/drain.ts'
import { createDrain } from './drain.ts'

const MINUTE = 60_000

function setUp() {
  const clock = virtualClock()
  const file = memoryDrain()
  const back: number[] = []
  const make = () => createDrain({ file, clock, log: createLog('silent'), handBack: () => back.push(clock.monotonic()) })
  return { clock, file, back, make, drain: make() }
}

describe('a drain', () => {
  it('is not there until it is asked for', async () => {
    const { drain } = setUp()
    await drain.start()
    expect(drain.isDraining()).toBe(false)
  })

  it('outlives the server, and tells when it began', async () => {
    const { drain, make, clock } = setUp()
    await drain.begin(null)
    const { since } = drain.state() ?? {}
    clock.advance(MINUTE)
    await drain.begin(null)
    drain.stop()
    const later = make()
    await later.start()
    expect(later.state()).toEqual({ since, handBackAt: null })
  })

  it('gives back when its time has come, whoever runs then', async () => {
    const { drain, make, clock, back } = setUp()
    await drain.begin(10 * MINUTE)
    clock.advance(4 * MINUTE)
    drain.stop()
    clock.advance(4 * MINUTE)
    const later = make()
    await later.start()
    clock.advance(2 * MINUTE - 1)
    expect(back).toEqual([])
    clock.advance(1)
    expect(back).toEqual([10 * MINUTE])
  })

  it('gives back at once after a restart that came too late', async () => {
    const { drain, make, clock, back } = setUp()
    await drain.begin(MINUTE)
    drain.stop()
    clock.advance(5 * MINUTE)
    await make().start()
    clock.advance(0)
    expect(back).toEqual([5 * MINUTE])
  })

  it('gives nothing back once it is over, and says so', async () => {
    const { drain, make, clock, back } = setUp()
    let ends = 0
    drain.onEnd(() => ends++)
    await drain.begin(MINUTE)
    await drain.end()
    clock.advance(2 * MINUTE)
    expect({ back, ends, draining: drain.isDraining() }).toEqual({ back: [], ends: 1, draining: false })
    const later = make()
    await later.start()
    expect(later.isDraining()).toBe(false)
  })

  it('takes the last word on when to give back', async () => {
    const { drain, clock, back } = setUp()
    await drain.begin(MINUTE)
    await drain.begin(null)
    clock.advance(2 * MINUTE)
    expect(back).toEqual([])
  })
})
