import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PlacementWeights, type Terms } from '#shared/model/index.ts'
import { createRandom } from '#test/sim/random.ts'
import { best, createPromises, promisedOf, score } from './index.ts'

const weights = PlacementWeights.parse({})
const CLASS = { agent: 'command', executor: 'process', model: null }
const NOBODY = { attempts: 0, lateMs: 0, runFactor: 1 }
const node = (letter: string) => letter.repeat(26)

const terms = (change: Partial<Terms> = {}): Terms => ({
  startMs: 0,
  start90Ms: 0,
  waitsBehind: 0,
  runMs: { p50: 60_000, p90: 60_000 },
  finishMs: { p50: 60_000, p90: 60_000 },
  modelLoaded: true,
  modelLocal: true,
  repositoryCached: true,
  dependencyCached: true,
  imageCached: true,
  haves: [],
  executor: 'process',
  isolation: 'process',
  load: 0,
  loadPerCore: 0,
  power: 'mains',
  price: null,
  ...change,
})
const total = (change: Partial<Terms>) => score(terms(change), { correction: NOBODY, trust: 'paired' }, weights).total

describe('the score of a bid', () => {
  it('is the sum of its parts, each in ms of run time', () => {
    const bid = terms({
      startMs: 1_000,
      start90Ms: 1_000,
      finishMs: { p50: 61_000, p90: 61_000 },
      load: 0.5,
      power: 'battery',
      price: 2,
    })
    const correction = { attempts: 5, lateMs: 500, runFactor: 1.5 }
    expect(score(bid, { correction, trust: 'granted' }, weights)).toEqual({
      total: 10_000 + 5_000 + 60_000 + 30_000 + 5_000 + 60_000 + 2_000 + 5_000,
      parts: {
        start: 10_000,
        late: 5_000,
        run: 60_000,
        longer: 30_000,
        model: 0,
        modelAtHome: 0,
        repository: 0,
        image: 0,
        dependencies: 0,
        load: 5_000,
        machine: 0,
        power: 60_000,
        price: 2_000,
        trust: 5_000,
      },
    })
  })

  it('never gets better by what is worse', () => {
    const base = total({})
    const worse: Partial<Terms>[] = [
      { startMs: 1 },
      { start90Ms: 1_000 },
      { runMs: { p50: 61_000, p90: 61_000 } },
      { finishMs: { p50: 70_000, p90: 70_000 } },
      { modelLoaded: false },
      { repositoryCached: false },
      { imageCached: false },
      { dependencyCached: false },
      { load: 0.1 },
      { loadPerCore: 2 },
      { power: 'battery' },
      { price: 1 },
    ]
    for (const change of worse) expect([change, total(change) > base]).toEqual([change, true])
  })

  it('weighs a wait more than a run, so that the fastest nodes are not waited for while others idle', () => {
    const fast = terms({ startMs: 10_000, start90Ms: 10_000, finishMs: { p50: 70_000, p90: 70_000 } })
    const idle = terms({ runMs: { p50: 120_000, p90: 120_000 }, finishMs: { p50: 120_000, p90: 120_000 } })
    const scores = [fast, idle].map(bid => score(bid, { correction: NOBODY, trust: 'paired' }, weights).total)
    expect(best(scores, () => 0)).toBe(1)
  })

  it('takes a node without history for an average one, and believes no end before the run is over', () => {
    expect(promisedOf(terms({ runMs: null, finishMs: null }), weights)).toEqual({ startMs: 0, runMs: weights.unknownRunMs })
    expect(promisedOf(terms({ finishMs: { p50: 1, p90: 1 } }), weights).runMs).toBe(60_000)
  })

  it('chooses any of equals', () => {
    expect([0, 0.5, 0.99].map(draw => best([3, 1, 2, 1, 1], () => draw))).toEqual([1, 3, 4])
    expect(best([], () => 0)).toBe(-1)
    expect(best([Number.POSITIVE_INFINITY], () => 0)).toBe(-1)
  })
})

/** What one bidder says, and what is true. */
interface Bidder {
  readonly id: string
  readonly lie: number
}

/**
 * A home places jobs among bidders that are all alike but in what they say.
 * @returns who won each job
 */
function auctions(bidders: readonly Bidder[], count: number, seed: string, isCorrected = true): string[] {
  const random = createRandom(seed)
  const promises = createPromises()
  return Array.from({ length: count }, () => {
    const bids = bidders.map(({ id, lie }) => {
      const wait = random.chance(0.5) ? 0 : random.exponential(30_000)
      const bid = terms({
        startMs: wait / lie,
        start90Ms: wait / lie,
        runMs: { p50: 60_000 / lie, p90: 60_000 / lie },
        finishMs: { p50: (wait + 60_000) / lie, p90: (wait + 60_000) / lie },
      })
      const correction = isCorrected ? promises.correction(id, CLASS) : NOBODY
      return { id, bid, wait, score: score(bid, { correction, trust: 'paired' }, weights).total }
    })
    const won =
      bids[
        best(
          bids.map(({ score }) => score),
          random.next,
        )
      ]
    if (!won) throw new Error('nobody bid')
    const actual = { startMs: won.wait, runMs: 60_000 * random.between(0.7, 1.3) }
    promises.add({ node: won.id, ...CLASS, promised: promisedOf(won.bid, weights), actual })
    return won.id
  })
}

const share = (winners: readonly string[], id: string) => winners.filter(winner => winner === id).length / winners.length

describe('promises that are not kept', () => {
  const honest = ['b', 'c', 'd'].map((letter): Bidder => ({ id: node(letter), lie: 1 }))
  const liar = node('a')

  it('win everything where nobody remembers', () => {
    const winners = auctions([{ id: liar, lie: 10 }, ...honest], 200, 'naive', false)
    expect(share(winners, liar)).toBeGreaterThan(0.8)
  })

  it('gain a liar nothing once it has been found out, whatever it lies by', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 1_000 }), fc.string(), (lie, seed) => {
        const shares = [1, 2, 3, 4, 5].map(run =>
          share(auctions([{ id: liar, lie }, ...honest], 240, seed + run).slice(60), liar),
        )
        // One of four that are alike would win a quarter.
        expect(shares.reduce((sum, one) => sum + one, 0) / 5).toBeLessThan(0.25)
      }),
      { numRuns: 40 },
    )
  })

  it('are not held against nodes that vary by chance', () => {
    const winners = auctions([{ id: liar, lie: 1 }, ...honest], 400, 'fair')
    for (const id of ['a', 'b', 'c', 'd'].map(node)) expect(share(winners, id)).toBeGreaterThan(0.15)
  })

  it('are remembered by class, and of a new class by node; and forgiven once they are kept', () => {
    const promises = createPromises()
    const kept = (runMs: number) => ({
      node: liar,
      ...CLASS,
      promised: { startMs: 0, runMs: 1_000 },
      actual: { startMs: 0, runMs },
    })
    expect(promises.correction(liar, CLASS)).toEqual(NOBODY)
    for (let attempt = 0; attempt < 10; attempt++) promises.add(kept(4_000))
    expect(promises.correction(liar, CLASS)).toMatchObject({ attempts: 10, lateMs: 0 })
    expect(promises.correction(liar, CLASS).runFactor).toBeGreaterThan(3)
    expect(promises.correction(liar, { ...CLASS, agent: 'opencode' }).runFactor).toBeGreaterThan(3)
    expect(promises.correction(node('b'), CLASS)).toEqual(NOBODY)
    for (let attempt = 0; attempt < 60; attempt++) promises.add(kept(1_000))
    expect(promises.correction(liar, CLASS).runFactor).toBe(1)
  })

  it('of a start are told apart from the time the network takes', () => {
    const promises = createPromises()
    const late = (startMs: number) => ({
      node: liar,
      ...CLASS,
      promised: { startMs: 0, runMs: 1_000 },
      actual: { startMs, runMs: 1_000 },
    })
    for (let attempt = 0; attempt < 20; attempt++) promises.add(late(900))
    expect(promises.correction(liar, CLASS).lateMs).toBe(0)
    for (let attempt = 0; attempt < 20; attempt++) promises.add(late(31_000))
    expect(promises.correction(liar, CLASS).lateMs).toBeGreaterThan(15_000)
  })
})
