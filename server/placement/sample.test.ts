import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Card } from '#shared/model/index.ts'
import { createRandom } from '#test/sim/random.ts'
import { sample } from './index.ts'

const idOf = (index: number): string =>
  index
    .toString(26)
    .padStart(26, '0')
    .replace(/[0-9]/g, digit => 'qrstuvwxyz'[Number(digit)] ?? '')

const card = (index: number, change: Partial<Card> = {}): Card => ({
  node: idOf(index),
  name: `node-${index}`,
  seq: 1,
  version: '0',
  protocol: { min: 1, max: 1 },
  capacity: { cpuCores: 1, memoryBytes: 0, storageBytes: 0, gpuCount: 0, labels: {} },
  slots: 1,
  busy: 0,
  waitingPlaces: 1,
  waiting: 0,
  queued: 0,
  executors: [],
  agents: [],
  models: [],
  repositories: [],
  draining: false,
  ...change,
})

const fleet = (count: number, warm: (index: number) => boolean = () => false) =>
  Array.from({ length: count }, (_, index) => card(index, { repositories: warm(index) ? ['shop'] : [] }))
const job = { spec: {}, snapshot: { repositoryId: 'shop' } }
const ask = (cards: readonly Card[], judge: (card: Card) => string | null = () => null, seed = 'sample') => {
  const [own, ...others] = cards
  if (!own) throw new Error('a fleet has a node')
  return sample({ own, cards: others, job, judge, random: createRandom(seed).next })
}

describe('whom to ask', () => {
  it('is at most eight nodes of any number, each once, itself among them, and none that cannot', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 10 }), fc.string(), (count, every, seed) => {
        const isAble = ({ name }: Card) => Number(name.slice(5)) % every === 0
        const { chosen, filtered } = ask(fleet(count), one => (isAble(one) ? null : 'no'), seed)
        const able = Math.ceil(count / every)
        expect(chosen).toHaveLength(Math.min(8, able))
        expect(new Set(chosen.map(({ card: { node } }) => node)).size).toBe(chosen.length)
        expect(chosen[0]).toMatchObject({ why: 'self', card: { node: idOf(0) } })
        expect(chosen.every(({ card }) => isAble(card))).toBe(true)
        expect(filtered.some(({ card }) => isAble(card))).toBe(false)
        if (count <= 64) expect(filtered).toHaveLength(count - able)
      }),
    )
  })

  it('is half the warm and half any, so that a repository does not make a crowd', () => {
    const { chosen } = ask(fleet(1_000, index => index % 2 === 1))
    expect(chosen.map(({ why }) => why)).toEqual(['self', 'warm', 'warm', 'warm', 'random', 'random', 'random', 'random'])
    expect(ask(fleet(1_000)).chosen.filter(({ why }) => why === 'random')).toHaveLength(7)
  })

  it('falls on every node alike', () => {
    const counts = new Map<string, number>()
    for (let draw = 0; draw < 2_000; draw++)
      for (const { card, why } of ask(fleet(100), undefined, String(draw)).chosen)
        if (why === 'random') counts.set(card.node, (counts.get(card.node) ?? 0) + 1)
    const mean = (2_000 * 7) / 99
    expect(counts.size).toBe(99)
    for (const count of counts.values()) expect(Math.abs(count - mean)).toBeLessThan(5 * Math.sqrt(mean))
  })
})
