import { describe, expect, it } from 'vitest'
import { createRandom } from '#test/sim/random.ts'
import { createHistory, forecast } from './index.ts'

const CLASS = { agent: 'opencode', executor: 'process', model: 'qwen', repository: 'shop' }
const draws = () => createRandom('forecast').next
const minute = [60_000]

describe('the history of a node', () => {
  it('answers by the finest class of which enough is known', () => {
    const history = createHistory([1, 2, 3].map(ms => ({ ...CLASS, ms })))
    expect(history.of(CLASS)).toEqual([1, 2, 3])
    for (const ms of [10, 20]) history.add({ ...CLASS, repository: 'other', ms })
    expect(history.of({ ...CLASS, repository: 'other' })).toEqual([1, 2, 3, 10, 20])
    history.add({ ...CLASS, repository: 'other', ms: 30 })
    expect(history.of({ ...CLASS, repository: 'other' })).toEqual([10, 20, 30])
    expect(history.of({ ...CLASS, model: 'llama', repository: null })).toEqual([1, 2, 3, 10, 20, 30])
    expect(history.of({ agent: 'command', executor: 'process', model: null, repository: null })).toEqual([1, 2, 3, 10, 20, 30])
  })

  it('knows nothing at first, and makes do with one run of anything', () => {
    const history = createHistory()
    expect(history.of(CLASS)).toEqual([])
    history.add({ ...CLASS, ms: 7 })
    expect(history.of({ agent: 'command', executor: 'process', model: null, repository: null })).toEqual([7])
  })

  it('goes by how things are now', () => {
    const history = createHistory()
    for (let run = 0; run < 1_000; run++) history.add({ ...CLASS, ms: run < 900 ? 1 : 1_000 })
    expect(history.of(CLASS)).toEqual(Array.from({ length: 64 }, () => 1_000))
  })
})

describe('a forecast', () => {
  const outlook = { slots: 2, running: [], ahead: [], own: minute, unknownRunMs: 60_000 }

  it('is now where a slot is free, with the quantiles of what ran', () => {
    const own = Array.from({ length: 11 }, (_, index) => 10 * index)
    expect(forecast({ ...outlook, own }, draws())).toEqual({
      start: { p50: 0, p90: 0 },
      run: { p50: 50, p90: 90 },
      finish: { p50: 50, p90: 90 },
    })
  })

  it('takes off what has passed of what runs, and comes after what waits', () => {
    const running = [
      { runs: minute, elapsedMs: 50_000 },
      { runs: minute, elapsedMs: 20_000 },
    ]
    expect(forecast({ ...outlook, running }, draws()).start).toEqual({ p50: 10_000, p90: 10_000 })
    const { start, finish } = forecast({ ...outlook, running, ahead: [[5_000], [90_000]] }, draws())
    expect(start).toEqual({ p50: 40_000, p90: 40_000 })
    expect(finish).toEqual({ p50: 100_000, p90: 100_000 })
  })

  it('goes by those that lasted as long as what runs has, and takes one that outlived them all to be half through', () => {
    const runs = [...Array.from({ length: 50 }, () => 1_000), ...Array.from({ length: 10 }, () => 100_000)]
    const one = { ...outlook, slots: 1 }
    expect(forecast({ ...one, running: [{ runs, elapsedMs: 2_000 }] }, draws()).start).toEqual({ p50: 98_000, p90: 98_000 })
    expect(forecast({ ...one, running: [{ runs, elapsedMs: 150_000 }] }, draws()).start.p50).toBe(150_000)
    expect(forecast({ ...one, own: [], running: [{ runs: [], elapsedMs: 0 }] }, draws())).toEqual({
      start: { p50: 60_000, p90: 60_000 },
      run: null,
      finish: null,
    })
  })

  it('knows that the first of many ends long before the median of each', () => {
    const random = createRandom('exponential')
    const runs = Array.from({ length: 64 }, () => random.exponential(1_000)).sort((a, b) => a - b)
    const running = Array.from({ length: 8 }, () => ({ runs, elapsedMs: 0 }))
    const { start } = forecast({ ...outlook, slots: 8, running, own: runs }, random.next)
    // The first of eight exponential times of mean 1,000 has the median 87, and 90 % of it before 288.
    expect(start.p50).toBeGreaterThan(40)
    expect(start.p50).toBeLessThan(200)
    expect(start.p90).toBeLessThan(500)
  })
})
