import { describe, expect, test } from 'vitest'
import { createMachineClock } from './clock.ts'
import { createNetwork } from './network.ts'
import { createRandom } from './random.ts'
import { createTimeline, run } from './timeline.ts'

describe('random numbers', () => {
  test('follow from their seed, and forks from their name alone', () => {
    const numbers = (seed: string, drawn = 0) => {
      const random = createRandom(seed)
      for (let index = 0; index < drawn; index++) random.next()
      const fork = random.fork('x')
      return [fork.next(), fork.next()]
    }
    expect(numbers('1')).toEqual(numbers('1', 5))
    expect(numbers('1')).not.toEqual(numbers('2'))
  })

  test('are spread evenly', () => {
    const random = createRandom('spread')
    const counts = Array.from({ length: 10 }, () => 0)
    for (let index = 0; index < 10_000; index++) {
      const bucket = random.int(10)
      counts[bucket] = (counts[bucket] ?? 0) + 1
    }
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150)
    const waits = Array.from({ length: 10_000 }, () => random.exponential(50))
    expect(waits.reduce((sum, wait) => sum + wait) / waits.length).toBeCloseTo(50, -1)
  })
})

describe('a timeline', () => {
  test('goes by time, then by order, and leaves out what was taken back', () => {
    const timeline = createTimeline()
    const random = createRandom('heap')
    const seen: number[] = []
    const waits = Array.from({ length: 500 }, () => random.int(100))
    const cancels = waits.map((ms, index) => timeline.after(ms, () => seen.push(ms * 1_000 + index)))
    const taken = cancels.filter((_, index) => index % 3 === 0)
    for (const cancel of taken) cancel()
    expect(timeline.waiting()).toBe(waits.length - taken.length)
    while (timeline.step()) expect(timeline.now()).toBe(Math.floor((seen.at(-1) ?? 0) / 1_000))
    expect(seen).toEqual(waits.flatMap((ms, index) => (index % 3 === 0 ? [] : [ms * 1_000 + index])).toSorted((a, b) => a - b))
  })

  test('waits for all that follows without time passing', async () => {
    const timeline = createTimeline()
    const seen: string[] = []
    const deep = async (left: number): Promise<void> => (left > 0 ? deep(left - 1) : void seen.push('deep'))
    timeline.after(1, () => void deep(200))
    timeline.after(1, () => seen.push('next'))
    timeline.after(5, () => seen.push('late'))
    await run(timeline, 4)
    expect(seen).toEqual(['deep', 'next'])
  })
})

test('clocks go at their own rate, step, and fire by their own time', () => {
  const timeline = createTimeline()
  const [fast, right] = [createMachineClock(timeline, { rate: 2, offset: 70 }), createMachineClock(timeline)]
  const fired: number[] = []
  fast.after(100, () => fired.push(timeline.now()))
  right.after(100, () => fired.push(timeline.now()))
  right.after(100, () => fired.push(-1))()
  const before = [fast.now(), right.now(), fast.monotonic()]
  while (timeline.step());
  right.step(-30)
  expect(fired).toEqual([50, 100])
  expect([fast.now(), right.now(), fast.monotonic()]).toEqual([
    (before[0] ?? 0) + 200,
    (before[1] ?? 0) + 70,
    (before[2] ?? 0) + 200,
  ])
})

describe('a network', () => {
  const arrivals = (weather: Parameters<typeof createNetwork>[2], messages: number) => {
    const timeline = createTimeline()
    const network = createNetwork(timeline, createRandom('net'), weather)
    const seen: number[] = []
    for (let index = 0; index < messages; index++) network.send('a', 'b', () => seen.push(index))
    while (timeline.step());
    return seen
  }

  test('delays each message by itself, loses some, and brings some twice', () => {
    const fair = arrivals({}, 100)
    expect(fair.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, index) => index))
    expect(fair).not.toEqual(fair.toSorted((a, b) => a - b))
    expect(arrivals({ loss: 0.5 }, 1_000).length).toBeGreaterThan(400)
    expect(arrivals({ loss: 0.5 }, 1_000).length).toBeLessThan(600)
    expect(arrivals({ duplication: 1 }, 10)).toHaveLength(20)
  })

  test('is cut one way, also for what was on its way', () => {
    const timeline = createTimeline()
    const network = createNetwork(timeline, createRandom('net'))
    const seen: string[] = []
    network.send('a', 'b', () => seen.push('before'))
    network.way('a', 'b').cut = true
    network.send('a', 'b', () => seen.push('while'))
    network.send('b', 'a', () => seen.push('back'))
    while (timeline.step());
    network.calm()
    network.send('a', 'b', () => seen.push('after'))
    while (timeline.step());
    expect(seen).toEqual(['back', 'after'])
    expect(network.sent()).toBe(4)
  })
})
