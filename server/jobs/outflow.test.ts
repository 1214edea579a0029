import { describe, expect, it } from 'vitest'
import { createOutflow } from './outflow.ts'

const tick = () => new Promise(resolve => setImmediate(resolve))

/** An outflow of 100 bytes whose log takes whatever it is given. */
function setUp() {
  const outflow = createOutflow(100)
  let taken = 0
  let waits = 0
  const say = (bytes: number) => {
    taken += bytes
    outflow.logged(bytes, () => taken)
    waits += 1
    return outflow.room().then(() => {
      waits -= 1
    })
  }
  return { outflow, say, waits: () => waits, strike: (bytes: number) => (taken -= bytes) }
}

describe('the outflow of an attempt', () => {
  it('lets through what fits, and holds what does not until the home has enough', async () => {
    const { outflow, say, waits } = setUp()
    await say(100)
    expect(outflow.isFull()).toBe(false)
    void say(1)
    await tick()
    expect({ waits: waits(), isFull: outflow.isFull() }).toEqual({ waits: 1, isFull: true })
    outflow.acknowledge({ log: 0, n: 0 })
    await tick()
    expect(waits()).toBe(1)
    outflow.acknowledge({ log: 1, n: 0 })
    await tick()
    expect({ waits: waits(), isFull: outflow.isFull() }).toEqual({ waits: 0, isFull: false })
  })

  it('counts events until the home has them, by their number', async () => {
    const { outflow, waits, say } = setUp()
    outflow.told(2, 60)
    outflow.told(1, 60)
    void say(0)
    await tick()
    outflow.acknowledge({ log: 0, n: 1 })
    await tick()
    expect(waits()).toBe(1)
    outflow.acknowledge({ log: 0, n: 2 })
    await tick()
    expect(waits()).toBe(0)
  })

  it('goes by what the log has really taken', async () => {
    const { say, strike, waits } = setUp()
    strike(40)
    await say(140)
    void say(1)
    await tick()
    expect(waits()).toBe(1)
  })

  it('never goes back on what was safe once: answers may overtake each other', async () => {
    const { outflow, say } = setUp()
    await say(100)
    outflow.acknowledge({ log: 100, n: 0 })
    outflow.acknowledge({ log: 10, n: 0 })
    await say(100)
    expect(outflow.isFull()).toBe(false)
  })

  it('holds no log back from a home that does not say what it has', async () => {
    const { outflow, say } = setUp()
    outflow.acknowledge({ log: null, n: 0 })
    await say(1_000_000)
    expect(outflow.isFull()).toBe(false)
  })

  it('holds nobody once the attempt is over', async () => {
    const { outflow, say, waits } = setUp()
    void say(200)
    await tick()
    expect(waits()).toBe(1)
    outflow.open()
    await tick()
    expect(waits()).toBe(0)
    await say(200)
  })

  it('asks for the word of its home when it becomes full', async () => {
    const { outflow, say } = setUp()
    let due = 0
    await say(100)
    const off = outflow.onDue(() => due++)
    void say(1)
    await tick()
    off()
    void say(200)
    await tick()
    expect(due).toBe(1)
  })

  it('asks for it before that, once half of the limit was given since the last one', async () => {
    const { outflow, say } = setUp()
    let due = 0
    outflow.onDue(() => due++)
    await say(50)
    expect(due).toBe(0)
    await say(1)
    await say(10)
    expect(due).toBe(1)
    outflow.acknowledge({ log: 60, n: 0 })
    await say(50)
    expect(due).toBe(1)
    outflow.told(1, 1)
    expect({ due, isFull: outflow.isFull() }).toEqual({ due: 2, isFull: false })
  })
})
