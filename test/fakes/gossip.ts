import type { CardSeal } from '#server/peers/card-seal.ts'
import { type Acquaintance, createGossip, type Gossip, type Look } from '#server/peers/gossip.ts'
import { type Card, GossipAnswer, GossipMessage, type NodeId } from '#shared/model/index.ts'
import { makeCard } from './card.ts'
import { type VirtualClock, virtualClock } from './clock.ts'

/** mulberry32: small, and the same everywhere. */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const decoded = (text = '') => JSON.parse(Buffer.from(text, 'base64url').toString())

/** A seal whose signature is the name of its key: it says what the real one says, at once, and does not parse a card to tell whose it is. */
export function plainSeal(publicKey: string): CardSeal {
  return {
    sign: async card => `${card.node}_${card.seq}.${encoded(card)}.${encoded(publicKey)}`,
    async peek(jws) {
      const [node = '', seq] = jws.slice(0, jws.indexOf('.')).split('_')
      return { node, seq: Number(seq) }
    },
    async open(jws, key) {
      const [, card, by] = jws.split('.')
      if (decoded(by) !== key) throw new Error('The signature does not hold')
      return { card: decoded(card) as Card, jws, goodForMs: 600_000 }
    },
  }
}

/** Of so many messages one is held against its schema. */
const HELD_EVERY = 16

export interface VirtualNode {
  readonly id: NodeId
  readonly gossip: Gossip
  /** What its next card says. */
  card: Card
  knows: Acquaintance[]
  isUp: boolean
  /** Messages it sent. */
  sent: number
  changed(): void
}

/** Nodes that gossip over a network that a test breaks as it likes, on a clock of its own. */
export interface VirtualFleet {
  readonly nodes: VirtualNode[]
  readonly clock: VirtualClock
  /** Lets time pass, and everything that it brings about happen. */
  pass(ms: number): Promise<void>
  /** How many nodes that are up have a card of this one, and count it as there. */
  knowing(node: VirtualNode, fits?: (card: Card) => boolean): number
}

export const keyOf = (id: NodeId): string => `key of ${id}`
export const idOf = (number: number): NodeId =>
  [...String(number).padStart(26, '0')].map(digit => 'abcdefghij'[Number(digit)]).join('')

/** @param isLost whether a message between two is lost */
export function virtualFleet(
  size: number,
  { seed = 1, isLost = () => false }: { seed?: number; isLost?: (from: NodeId, to: NodeId) => boolean } = {},
): VirtualFleet {
  const clock = virtualClock()
  const random = seeded(seed)
  let messages = 0
  const byId = new Map<NodeId, VirtualNode>()
  const everybody = Array.from({ length: size }, (_, number) => idOf(number))

  function add(id: NodeId): void {
    const listeners = new Set<() => void>()
    let seq = clock.now()
    let knows: Acquaintance[] = []
    let index = new Map<NodeId, Acquaintance>()
    const know = (nodes: Acquaintance[]) => {
      knows = nodes
      index = new Map(nodes.map(one => [one.id, one]))
    }
    know(everybody.flatMap(other => (other === id ? [] : [{ id: other, publicKey: keyOf(other), isTrusted: true }])))
    const node: VirtualNode = {
      id,
      card: makeCard(id),
      get knows() {
        return knows
      },
      set knows(nodes) {
        know(nodes)
      },
      isUp: true,
      sent: 0,
      changed() {
        for (const listener of listeners) listener()
      },
      gossip: createGossip({
        self: { id, publicKey: () => keyOf(id) },
        known: {
          get: other => index.get(other) ?? null,
          list: () => knows,
          onChange(listener) {
            listeners.add(listener)
            return () => listeners.delete(listener)
          },
        },
        ownCard: async () => {
          seq = Math.max(seq + 1, clock.now())
          return { ...node.card, seq }
        },
        seal: plainSeal(keyOf(id)),
        exchange: (to, message) => deliver(node, to, message),
        clock,
        random,
      }),
    }
    byId.set(id, node)
  }

  async function deliver(from: VirtualNode, to: NodeId, message: GossipMessage): Promise<Look> {
    from.sent += 1
    // Parsing is what most of the time would go into.
    const isHeld = messages++ % HELD_EVERY === 0
    if (isHeld) GossipMessage.parse(message)
    const target = byId.get(to)
    if (!target?.isUp || isLost(from.id, to)) throw new Error('no answer')
    const answer = await target.gossip.answer(from.id, message)
    if (isHeld) GossipAnswer.parse(answer)
    if (isLost(to, from.id)) throw new Error('no answer')
    return { kind: 'gossip', answer }
  }

  for (const id of everybody) add(id)
  const nodes = [...byId.values()]
  return {
    nodes,
    clock,
    async pass(ms) {
      for (let left = ms; left > 0; left -= 500) {
        clock.advance(Math.min(500, left))
        await new Promise(setImmediate)
      }
    },
    knowing: (node, fits = () => true) =>
      nodes.filter(other => {
        if (other === node || !other.isUp) return false
        const { card, problem } = other.gossip.of(node.id)
        return card !== null && problem === null && fits(card)
      }).length,
  }
}
