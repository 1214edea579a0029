import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GOSSIP_CARDS, GOSSIP_CHARS, GOSSIP_DIGEST, type GossipAnswer, type GossipMessage } from '#shared/model/index.ts'
import { makeCard } from '#test/fakes/card.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { idOf, keyOf, plainSeal, seeded, type VirtualFleet, type VirtualNode, virtualFleet } from '#test/fakes/gossip.ts'
import { createGossip, type Look } from './gossip.ts'
import { createGossipState, FANOUT, ROUND_MS } from './gossip-state.ts'

const start = (fleet: VirtualFleet) => {
  for (const { gossip } of fleet.nodes) gossip.start()
}
const others = ({ nodes }: VirtualFleet) => nodes.filter(({ isUp }) => isUp).length - 1

/** Rounds until all that are up have a card of a node that fits; Infinity after `most`. */
async function roundsUntilAll(
  fleet: VirtualFleet,
  node: VirtualNode,
  fits: Parameters<VirtualFleet['knowing']>[1],
  most: number,
): Promise<number> {
  for (let round = 0; round <= most; round++) {
    if (fleet.knowing(node, fits) === others(fleet)) return round
    await fleet.pass(ROUND_MS)
  }
  return Number.POSITIVE_INFINITY
}

describe('nodes that know each other', () => {
  test('hear of a change within about log(n) rounds, 128 of them, with as many messages each as three nodes send', async () => {
    const fleet = virtualFleet(128)
    start(fleet)
    await fleet.pass(2 * ROUND_MS)
    const [changed] = fleet.nodes
    if (!changed) throw new Error('no node')
    expect(fleet.knowing(changed)).toBe(127)

    const before = fleet.nodes.map(({ sent }) => sent)
    changed.card = { ...changed.card, draining: true }
    const rounds = await roundsUntilAll(fleet, changed, ({ draining }) => draining, 10)
    expect(rounds).toBeLessThanOrEqual(Math.ceil(Math.log2(128)))
    const rate = fleet.nodes.map(({ sent }, index) => (sent - (before[index] ?? 0)) / rounds)
    // A look is one message, and a second one when the other has older cards.
    expect(Math.max(...rate)).toBeLessThanOrEqual(2 * FANOUT)
  }, 240_000)

  test('count one that is gone as away before long, all of them, and as there when it is back', async () => {
    const fleet = virtualFleet(60)
    start(fleet)
    await fleet.pass(2 * ROUND_MS)
    const [gone] = fleet.nodes
    if (!gone) throw new Error('no node')
    gone.gossip.stop()
    gone.isUp = false
    await fleet.pass(200_000)
    expect(fleet.knowing(gone)).toBe(0)
    gone.isUp = true
    gone.gossip.start()
    expect(await roundsUntilAll(fleet, gone, undefined, 20)).toBeLessThanOrEqual(9)
  }, 240_000)
})

test('news reaches everybody within log2(n) + 4 rounds, whatever the size, the seed and the order, though messages are lost', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 2, max: 48 }), fc.integer(), async (size, seed) => {
      const losing = seeded(seed + 1)
      const fleet = virtualFleet(size, { seed, isLost: () => losing() < 0.05 })
      start(fleet)
      await fleet.pass(60_000)
      const changed = fleet.nodes[Math.abs(seed) % size]
      if (!changed) throw new Error('no node')
      changed.card = { ...changed.card, busy: 7 }
      const bound = Math.ceil(Math.log2(size)) + 4
      const heard = () => fleet.nodes.filter(({ gossip }) => gossip.of(changed.id).card?.busy === 7).length
      for (let round = 0; round < bound && heard() < size - 1; round++) await fleet.pass(ROUND_MS)
      expect(heard()).toBe(size - 1)
    }),
    { numRuns: 12 },
  )
})

test('a card comes over nodes that both know, where the two cannot reach each other', async () => {
  const [a, , c] = [idOf(0), idOf(1), idOf(2)]
  const cut = new Set([`${a}${c}`, `${c}${a}`])
  const fleet = virtualFleet(3, { isLost: (from, to) => cut.has(from + to) })
  start(fleet)
  await fleet.pass(60_000)
  const seen = fleet.nodes[0]?.gossip.of(c)
  expect(seen?.card?.node).toBe(c)
  // It is alive, but there is no use in giving it work from here.
  expect(seen?.problem).toBe('no answer')
  cut.clear()
  await fleet.pass(70_000)
  expect(fleet.nodes[0]?.gossip.of(c).problem).toBeNull()
})

/** One node, its messages to others in hand. */
function single(
  acquaintances = [idOf(1), idOf(2)].map(id => ({ id, publicKey: keyOf(id), isTrusted: true })),
  learnKey: (id: string) => Promise<boolean> = async () => false,
) {
  const clock = virtualClock()
  const asked: { node: string; message: GossipMessage }[] = []
  const listeners = new Set<() => void>()
  const node = {
    knows: acquaintances,
    answer: async (): Promise<Look> => ({ kind: 'gossip', answer: { cards: [], wants: [] } }),
    seq: 1,
  }
  const gossip = createGossip({
    self: { id: idOf(0), publicKey: () => keyOf(idOf(0)) },
    known: {
      get: id => node.knows.find(one => one.id === id) ?? null,
      list: () => node.knows,
      onChange(listener) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    },
    ownCard: async () => makeCard(idOf(0), { seq: node.seq }),
    seal: plainSeal(keyOf(idOf(0))),
    async exchange(id, message) {
      asked.push({ node: id, message })
      return node.answer()
    },
    learnKey,
    clock,
    random: seeded(1),
  })
  const settle = () => new Promise(setImmediate)
  const changed = () => {
    for (const listener of listeners) listener()
  }
  return { clock, asked, node, gossip, settle, changed }
}
const cardOf = (number: number, more: Parameters<typeof makeCard>[1] = {}, key = keyOf(idOf(number))) =>
  plainSeal(key).sign(makeCard(idOf(number), more))
const telling = async (...cards: Promise<string>[]): Promise<GossipMessage> => ({ digest: [], cards: await Promise.all(cards) })

describe('a card is not taken', () => {
  test.each([
    ['that another signed', () => cardOf(1, { seq: 5 }, keyOf(idOf(2)))],
    ['of a node that is not known', () => cardOf(9, { seq: 5 })],
    ['that is older than the one there is', () => cardOf(1, { seq: 3 })],
    ['with the number of the one there is', () => cardOf(1, { seq: 4, busy: 9 })],
  ])('%s', async (_, lie) => {
    const { gossip } = single()
    await gossip.answer(idOf(2), await telling(cardOf(1, { seq: 4, busy: 1 })))
    await gossip.answer(idOf(2), await telling(lie()))
    expect(gossip.of(idOf(1)).card).toMatchObject({ seq: 4, busy: 1 })
    expect(gossip.of(idOf(9)).card).toBeNull()
  })

  test('of a node that is not trusted, nor is one kept of a node whose trust ended', async () => {
    const { gossip, node, changed } = single()
    gossip.start()
    await gossip.answer(idOf(2), await telling(cardOf(1)))
    node.knows = node.knows.map(one => ({ ...one, isTrusted: false }))
    changed()
    expect(gossip.of(idOf(1)).card).toBeNull()
    await gossip.answer(idOf(2), await telling(cardOf(1, { seq: 9 })))
    expect(gossip.of(idOf(1)).card).toBeNull()
    gossip.stop()
  })

  test('of a node that tells this one nothing any more, whoever brings it, until it does again', async () => {
    const { gossip, node } = single()
    await gossip.answer(idOf(2), await telling(cardOf(1)))
    node.answer = async () => ({ kind: 'there' })
    await gossip.look(idOf(1))
    await gossip.answer(idOf(2), await telling(cardOf(1, { seq: 5 })))
    expect(gossip.of(idOf(1))).toMatchObject({ card: null, problem: null })
    const card = await cardOf(1, { seq: 6 })
    node.answer = async () => ({ kind: 'gossip', answer: { cards: [card], wants: [] } })
    await gossip.look(idOf(1))
    expect(gossip.of(idOf(1)).card).toMatchObject({ seq: 6 })
    node.answer = async () => ({ kind: 'there' })
    await gossip.look(idOf(1))
    await gossip.answer(idOf(1), await telling(cardOf(1, { seq: 7 })))
    expect(gossip.of(idOf(1)).card).toMatchObject({ seq: 7 })
  })

  test('past its time', async () => {
    const { gossip, clock } = single()
    await gossip.answer(idOf(1), await telling(cardOf(1)))
    clock.advance(600_000)
    await gossip.answer(idOf(1), { digest: [], cards: [] })
    expect(gossip.of(idOf(1))).toMatchObject({ card: null, problem: null })
  })
})

test('a node whose clock was set back passes the number that others have of it', async () => {
  const { gossip, node, asked, settle, clock } = single()
  gossip.start()
  await settle()
  await gossip.answer(idOf(1), await telling(cardOf(0, { seq: 700 })))
  node.seq = 2
  clock.advance(ROUND_MS)
  await settle()
  expect(asked.at(-1)?.message.digest).toContainEqual({ node: idOf(0), seq: 701 })
  gossip.stop()
})

describe('at rest', () => {
  test('without others there is no timer; with others none is faster than a round', async () => {
    const { gossip, node, clock, changed, settle, asked } = single([])
    gossip.start()
    expect(clock.waiting()).toBe(0)
    node.knows = [{ id: idOf(1), publicKey: keyOf(idOf(1)), isTrusted: true }]
    changed()
    await settle()
    expect(asked).toHaveLength(1)
    clock.advance(ROUND_MS - 1)
    await settle()
    expect(asked).toHaveLength(1)
    expect(clock.waiting()).toBe(1)
    node.knows = []
    changed()
    expect(clock.waiting()).toBe(0)
    gossip.stop()
  })

  test.each([3, 1_000])('with %i others it sends three messages a round once it has a card of each', async count => {
    const ids = Array.from({ length: count }, (_, number) => idOf(number + 1))
    const known = ids.map(id => ({ id, publicKey: keyOf(id), isTrusted: true }))
    const { gossip, node, clock, asked, settle } = single(known)
    // All the others as one that hears of everything at once.
    const others = createGossipState({ self: idOf(count + 1), random: seeded(2) })
    others.keep(known, 0)
    node.answer = async () => ({
      kind: 'gossip',
      answer: others.answer(idOf(0), asked.at(-1)?.message ?? others.message(), clock.monotonic()),
    })
    const pass = async (rounds: number) => {
      for (let round = 0; round < rounds; round++) {
        const seq = clock.now()
        // Each signs a new one after a minute.
        if (round % 6 === 0)
          for (const [index, jws] of (await Promise.all(ids.map((_, number) => cardOf(number + 1, { seq })))).entries())
            others.learn({ card: makeCard(ids[index] ?? '', { seq }), jws, goodForMs: 600_000 }, clock.monotonic())
        for (let second = 0; second < ROUND_MS; second += 1_000) {
          clock.advance(1_000)
          await settle()
          // As many ask it as it asks.
          if (second % 3_000 !== 0 || second === 0) continue
          const { wants } = await gossip.answer(idOf(1), others.message())
          await gossip.answer(idOf(1), others.wanted(wants))
        }
      }
    }
    gossip.start()
    await pass(12)
    const before = asked.length
    await pass(12)
    expect(asked.length - before).toBe(12 * FANOUT)
    const away = ids.filter(id => gossip.of(id).problem !== null || gossip.of(id).card === null)
    expect(away).toEqual([])
    gossip.stop()
  })

  test('a node that does not answer is asked soon again at first, then ever less often', async () => {
    const { gossip, clock, asked, node, settle } = single([{ id: idOf(1), publicKey: keyOf(idOf(1)), isTrusted: true }])
    node.answer = async () => Promise.reject(new Error('nobody there'))
    gossip.start()
    await settle()
    expect(gossip.of(idOf(1)).problem).toBe('nobody there')
    const times: number[] = []
    for (let ms = 0; ms < 300_000; ms += 1_000) {
      const before = asked.length
      clock.advance(1_000)
      await settle()
      if (asked.length > before) times.push(ms / 1_000 + 1)
    }
    expect(times.slice(0, 2)).toEqual([1, 3])
    expect(times.length).toBeLessThan(12)
    gossip.stop()
  })
})

describe('what one node may cost another', () => {
  const acquaintances = Array.from({ length: 1_000 }, (_, number) => ({
    id: idOf(number + 1),
    publicKey: keyOf(idOf(number + 1)),
    isTrusted: true,
  }))

  test('no message is larger than it may be, however many nodes there are and whatever is asked for', async () => {
    const state = createGossipState({ self: idOf(0), random: seeded(3) })
    state.keep(acquaintances, 0)
    const long = 'r'.repeat(64)
    for (const { id } of acquaintances) {
      const card = makeCard(id, { repositories: Array.from({ length: 150 }, () => long) })
      state.learn({ card, jws: await plainSeal(keyOf(id)).sign(card), goodForMs: 1 }, 0)
    }
    const message = state.message()
    expect(message.digest).toHaveLength(GOSSIP_DIGEST)
    const all = { digest: acquaintances.map(({ id }) => ({ node: id, seq: 0 })), cards: [] }
    const answer: GossipAnswer = state.answer(idOf(1), all, 0)
    expect(answer.cards.length).toBeGreaterThan(0)
    expect(answer.cards.join('').length).toBeLessThanOrEqual(GOSSIP_CHARS)
    const wants = { digest: acquaintances.map(({ id }) => ({ node: id, seq: 9 })), cards: [] }
    expect(state.answer(idOf(1), wants, 0).wants).toHaveLength(GOSSIP_CARDS)
  })

  test('one that sends more than is of use is told to wait, and another is not', async () => {
    const { gossip, clock } = single()
    const message: GossipMessage = { digest: [], cards: [] }
    const flood = async () => {
      for (let count = 0; count < 100; count++) await gossip.answer(idOf(1), message)
    }
    await expect(flood()).rejects.toMatchObject({ code: 'too_many_requests' })
    await gossip.answer(idOf(2), message)
    clock.advance(1_000)
    await gossip.answer(idOf(1), message)
  })

  test('one that brings many cards it did not sign is asked once for another key', async () => {
    let asked = 0
    const { gossip } = single(undefined, async () => {
      asked += 1
      return false
    })
    const lies = Array.from({ length: GOSSIP_CARDS }, (_, seq) => cardOf(1, { seq: seq + 5 }, keyOf(idOf(2))))
    await gossip.answer(idOf(1), await telling(...lies))
    expect(asked).toBe(1)
  })

  test('nobody unknown is listened to', async () => {
    const { gossip } = single()
    await expect(gossip.answer(idOf(9), { digest: [], cards: [] })).rejects.toMatchObject({ code: 'too_many_requests' })
  })
})

test('a card of a node of protocol 1 counts for itself and is not passed on', async () => {
  const { gossip, node, settle } = single([{ id: idOf(1), publicKey: keyOf(idOf(1)), isTrusted: true }])
  node.answer = async () => ({ kind: 'card', card: makeCard(idOf(1)) })
  gossip.start()
  await settle()
  expect(gossip.of(idOf(1)).card?.node).toBe(idOf(1))
  const asking = { digest: [{ node: idOf(1), seq: 0 }], cards: [] }
  expect((await gossip.answer(idOf(1), asking)).cards).toEqual([])
  node.answer = async () => ({ kind: 'card', card: makeCard(idOf(2)) })
  await gossip.look(idOf(1))
  expect(gossip.of(idOf(1)).problem).toContain('Another node')
  gossip.stop()
})
