import { describe, expect, it } from 'vitest'
import { virtualClock } from '#test/fakes/clock.ts'
import type { Source } from './bringing-home.ts'
import { startLogStream } from './log-stream.ts'

const tick = () => new Promise(resolve => setImmediate(resolve))

/** A way to a node whose connections hang until they are broken off. */
function setUp() {
  const clock = virtualClock()
  let [begun, open] = [0, 0]
  const bringHome = {
    async log(_: Source, signal: AbortSignal) {
      begun += 1
      open += 1
      await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
      open -= 1
    },
  }
  const stream = startLogStream({ clock, bringHome }, () => ({}) as Source)
  return { clock, stream, begun: () => begun, open: () => open }
}

describe('the log of an attempt on its way home', () => {
  it('is asked for anew when nothing comes of what is owed for a while', async () => {
    const { clock, stream, begun, open } = setUp()
    await stream.owes(10, 5)
    clock.advance(15_000)
    await stream.owes(10, 5)
    expect(begun()).toBe(1)
    clock.advance(1)
    await stream.owes(10, 5)
    await tick()
    expect({ begun: begun(), open: open() }).toEqual({ begun: 2, open: 1 })
    await stream.stop()
    expect(open()).toBe(0)
  })

  it('is left alone while something comes, and while nothing is owed', async () => {
    const { clock, stream, begun } = setUp()
    for (let received = 0; received < 5; received++) {
      await stream.owes(100, received)
      clock.advance(14_000)
    }
    for (let times = 0; times < 5; times++) {
      await stream.owes(0, 100)
      clock.advance(20_000)
    }
    expect(begun()).toBe(1)
    await stream.stop()
  })

  it('is not waited for longer than is said', async () => {
    const { clock, stream, open } = setUp()
    const ended = stream.ended(5_000)
    clock.advance(5_000)
    await ended
    expect(open()).toBe(0)
  })
})
