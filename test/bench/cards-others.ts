// All the nodes but the one that is measured, in a process of their own: as one that has every card as soon as it is signed, which
// gives the measured node the most to take. Arguments: fixture, how many there are, the measured node.
import { decodeJwt } from 'jose'
import { createGossipState } from '#server/peers/gossip-state.ts'
import type { Card, GossipAnswer, GossipMessage, NodeId } from '#shared/model/index.ts'
import { seeded } from '../fakes/gossip.ts'
import { BEGIN, readCards } from './cards-fleet.ts'

/** What the measured node sends, or wants to be sent: a message of one of the others. */
export interface ToOthers {
  readonly id: number
  /** Wall clock of all, ms since 1970. */
  readonly now: number
  readonly message: GossipMessage | null
}

export type FromOthers = { readonly id: number } & (
  | { readonly answer: GossipAnswer }
  | { readonly message: GossipMessage; readonly from: NodeId }
)

const GOOD_FOR_MS = 600_000

const [fixture = '', count = '0', measured = ''] = process.argv.slice(2)
const random = seeded(7)
const cards = await readCards(fixture, Number(count))
const nodes = [...new Set(cards.map(({ node }) => node))]
const [self = ''] = nodes
const state = createGossipState({ self, random })
state.keep(
  [...nodes.slice(1), measured].map(id => ({ id, isTrusted: true })),
  0,
)
let signed = 0

function learnUntil(now: number): void {
  for (let next = cards[signed]; next && next.at <= now; next = cards[++signed]) {
    const { node, jws } = next
    if (node === self) state.own = { seq: next.at, jws }
    else learn(jws, next.at)
  }
}

function learn(jws: string, now: number): void {
  const { card } = decodeJwt<{ card: Card }>(jws)
  state.learn({ card, jws, goodForMs: GOOD_FOR_MS }, now - BEGIN)
}

process.on('message', ({ id, now, message }: ToOthers) => {
  learnUntil(now)
  let reply: FromOthers
  if (message === null) {
    const from = nodes[Math.floor(random() * nodes.length)] ?? self
    reply = { id, from, message: state.message() }
  } else {
    reply = { id, answer: state.answer(measured, message, now - BEGIN) }
    for (const jws of message.cards) learn(jws, now)
  }
  process.send?.(reply)
})
process.on('disconnect', () => process.exit())
process.send?.('ready')
