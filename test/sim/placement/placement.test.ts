import { describe, expect, it } from 'vitest'
import { type Measured, measure } from './compare.ts'
import type { Scenario } from './fleet.ts'
import { MOST_MESSAGES, missed, RULE_NAMES, RULES, type RuleName } from './rules.ts'

const at = (nodes: number, jobs: number): Scenario => ({
  nodes,
  load: 0.9,
  slots: [1, 2, 4, 8],
  jobs,
  warmUp: 200,
  seed: 'quick',
})

async function compare(scenario: Scenario): Promise<Record<RuleName, Measured>> {
  const measured: [RuleName, Measured][] = []
  for (const name of RULE_NAMES) measured.push([name, await measure(RULES[name], scenario)])
  return Object.fromEntries(measured) as Record<RuleName, Measured>
}

describe('the placement of the product, on simulated fleets at 90 % load', () => {
  it.each([
    [10, 750],
    [100, 300],
  ])('keeps its bars on %i nodes', async (nodes, jobs) => {
    const figures = await compare(at(nodes, jobs))
    expect([missed(figures), figures]).toEqual([[], figures])
    expect(figures.negotiated.inOneRound).toBeGreaterThan(0.99)
    // What it gains, asking everybody gains too, at a price that grows with the fleet.
    expect(figures.broadcast.messages).toBeGreaterThan(nodes)
  })

  it('costs the same on a fleet ten times as large', async () => {
    const [small, large] = [await measure(RULES.negotiated, at(100, 100)), await measure(RULES.negotiated, at(1_000, 100))]
    expect(large.mostMessages).toBeLessThanOrEqual(MOST_MESSAGES)
    expect(Math.abs(large.messages - small.messages)).toBeLessThan(0.5)
  })

  it('gives the same figures for the same seed, and others for another', async () => {
    const [one, same, other] = [
      await measure(RULES.negotiated, at(10, 50)),
      await measure(RULES.negotiated, at(10, 50)),
      await measure(RULES.negotiated, { ...at(10, 50), seed: 'another' }),
    ]
    expect(same).toEqual(one)
    expect(other).not.toEqual(one)
  })
})
