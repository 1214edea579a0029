import type { Clock } from '#server/lib/clock.ts'
import { messageOf } from '#server/lib/message-of.ts'
import { ApiError } from '#shared/contract/index.ts'
import {
  type Card,
  GOSSIP_CHARS,
  type GossipAnswer,
  type GossipMessage,
  type NodeId,
  type SignedCard,
} from '#shared/model/index.ts'
import type { CardSeal } from './card-seal.ts'
import { createGossipState } from './gossip-state.ts'

/** A node that this one knows, as far as gossip goes. */
export interface Acquaintance {
  readonly id: NodeId
  readonly publicKey: string
  /** Whether its cards are of use, and ours are for it. */
  readonly isTrusted: boolean
}

/** What a node answered when it was looked at: gossip, its own card as it is (protocol 1), or only that it is there. */
export type Look =
  | { readonly kind: 'gossip'; readonly answer: GossipAnswer }
  | { readonly kind: 'card'; readonly card: Card }
  | { readonly kind: 'there' }

export interface GossipDeps {
  readonly self: { readonly id: NodeId; publicKey(): string }
  readonly known: {
    get(id: NodeId): Acquaintance | null
    list(): readonly Acquaintance[]
    onChange(listener: () => void): () => void
  }
  readonly ownCard: () => Promise<Card>
  readonly seal: CardSeal
  /** Sends a message to a node. @throws {Error} when it does not answer */
  readonly exchange: (node: NodeId, message: GossipMessage) => Promise<Look>
  /** A card of that node's is not signed by the key that is known. @returns whether it has another now that may be known */
  readonly learnKey?: (node: NodeId) => Promise<boolean>
  readonly clock: Clock
  /** From 0 up to 1. */
  readonly random: () => number
}

/** What is known of a node now. */
export interface Presence {
  readonly card: Card | null
  /** ms since 1970. */
  readonly lastSeenAt: number | null
  /** Why it counts as away; null while it does not. */
  readonly problem: string | null
}

/** Keeps the cards of all known nodes fresh, with as many messages a round however many there are. Without others nothing runs. */
export interface Gossip {
  of(id: NodeId): Presence
  /** Looks at one at once. */
  look(id: NodeId): Promise<void>
  /** Answers another node. @throws {ApiError} `too_many_requests`, `body_too_large` */
  answer(from: NodeId, message: GossipMessage): Promise<GossipAnswer>
  onChange(listener: () => void): () => void
  start(): void
  stop(): void
}

export function createGossip(deps: GossipDeps): Gossip {
  const { self, known, ownCard, seal, exchange, learnKey, clock, random } = deps
  const state = createGossipState({ self: self.id, random })
  const looks = new Map<NodeId, Promise<void>>()
  const listeners = new Set<() => void>()
  let signedAt = Number.NEGATIVE_INFINITY
  let signing: Promise<void> | null = null
  let isOpen = false
  let cancel = () => {}

  const tell = () => {
    for (const listener of listeners) listener()
  }
  const follow = () => {
    state.keep(known.list(), clock.monotonic())
    tell()
    if (isOpen) turn()
  }
  state.keep(known.list(), clock.monotonic())

  function turn(): void {
    cancel()
    if (!isOpen) return
    const { partners, waitMs } = state.plan(clock.monotonic())
    for (const id of partners) void look(id)
    if (waitMs !== null) cancel = clock.after(waitMs, turn)
  }

  function look(id: NodeId): Promise<void> {
    const running = looks.get(id)
    if (running) return running
    state.begin(id)
    const asked = ask(id).then(() => null, messageOf)
    const ended = asked.then(failure => {
      looks.delete(id)
      state.end(id, failure, clock.monotonic())
      tell()
      turn()
    })
    looks.set(id, ended)
    return ended
  }

  async function ask(id: NodeId): Promise<void> {
    await refreshOwn()
    const seen = await exchange(id, state.message())
    state.heed(id, seen.kind !== 'there')
    switch (seen.kind) {
      case 'there':
        return
      case 'card':
        if (seen.card.node !== id) throw new Error(`Another node answers there: ${seen.card.node}`)
        state.learn({ card: seen.card, jws: null, goodForMs: UNSIGNED_MS }, clock.monotonic())
        return
      case 'gossip': {
        await take(seen.answer.cards, id)
        const push = state.wanted(seen.answer.wants)
        if (push.cards.length > 0) await exchange(id, push)
      }
    }
  }

  /** Our card, signed anew when it is too old or others have a newer one of us, from before our clock was set back. */
  function refreshOwn(): Promise<void> {
    const isFresh = state.own && state.own.seq > state.ownFloor && clock.monotonic() - signedAt < state.ownFreshMs()
    if (isFresh) return Promise.resolve()
    signing ??= signOwn().finally(() => {
      signing = null
    })
    return signing
  }

  async function signOwn(): Promise<void> {
    const card = await ownCard()
    // Ours must rise with each card too: after the clock was set back, what the card says itself stays behind for long.
    const seq = Math.max(card.seq, state.ownFloor + 1, (state.own?.seq ?? 0) + 1)
    const jws = await seal.sign({ ...card, seq })
    state.own = { seq, jws }
    signedAt = clock.monotonic()
  }

  /** Takes cards whose signature holds, of nodes that are known here. @param from who brought them: only of it another key is looked for */
  async function take(cards: readonly SignedCard[], from: NodeId): Promise<void> {
    let isNews = false
    let mayLearn = true
    for (const jws of cards) {
      const said = await seal.peek(jws)
      if (!said || !state.isNews(said.node, said.seq)) continue
      const open = async () => seal.open(jws, keyOf(said.node))
      let opened = await open().catch(() => null)
      if (!opened && said.node === from && mayLearn) {
        // Once a message: a node may bring many cards that it did not sign, and make us ask for each.
        mayLearn = false
        if (await learnKey?.(from).catch(() => false)) opened = await open().catch(() => null)
      }
      if (opened && state.learn(opened, clock.monotonic())) isNews = true
    }
    if (isNews) tell()
  }

  function keyOf(node: NodeId): string {
    const key = node === self.id ? self.publicKey() : known.get(node)?.publicKey
    if (key === undefined) throw new Error('it is of a node that is not known')
    return key
  }

  let unsubscribe = () => {}
  return {
    of(id) {
      const { card, heardAt, problem } = state.of(id, clock.monotonic())
      return { card, problem, lastSeenAt: heardAt === null ? null : clock.now() - (clock.monotonic() - heardAt) }
    },
    look,
    async answer(from, message) {
      const waitMs = state.admit(from, clock.monotonic())
      if (waitMs > 0)
        throw new ApiError('too_many_requests', 'This node sends more gossip than is of use.', { retryAfterMs: waitMs })
      if (message.cards.reduce((sum, { length }) => sum + length, 0) > GOSSIP_CHARS)
        throw new ApiError('body_too_large', `More than ${GOSSIP_CHARS} characters of cards.`)
      state.heed(from, true)
      await Promise.all([take(message.cards, from), refreshOwn()])
      const answer = state.answer(from, message, clock.monotonic())
      turn()
      return answer
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    start() {
      isOpen = true
      unsubscribe = known.onChange(follow)
      follow()
    },
    stop() {
      isOpen = false
      unsubscribe()
      cancel()
    },
  }
}

/** How long a card is believed that came unsigned from its own node, ms. */
const UNSIGNED_MS = 600_000
