import {
  CARD_CHARS,
  type Card,
  GOSSIP_CARDS,
  GOSSIP_CHARS,
  GOSSIP_DIGEST,
  type GossipAnswer,
  type GossipMessage,
  type NodeId,
  type SignedCard,
} from '#shared/model/index.ts'
import { shuffled } from './shuffled.ts'

/** Between two rounds, ms. */
export const ROUND_MS = 10_000
/** Nodes that are asked a round, however many there are. */
export const FANOUT = 3
/** Between two looks that cannot wait for a round, ms: at nodes that were never asked, that just failed, or that nobody hears of. */
const SOON_MS = 1_000
/** Most between two looks at a node that does not answer, ms. */
const LAST_PAUSE_MS = 60_000
/** Failures in a row after which a look can wait for a round. */
const HASTY_FAILURES = 4
/** Looks a round that do not wait for it. */
const HASTY_A_ROUND = 3 * FANOUT
/** How much a card's node costs each of the others: what sets how often a node of a large fleet signs a new one, ms. */
const CARD_MS_PER_NODE = 60
/** Messages one node may send in a burst, and how fast that refills. */
const BURST = 30
const REFILL_MS = 500

/** A card whose signature holds. */
export interface OpenCard {
  readonly card: Card
  /** What may be passed on; null of a card that a node told of itself unsigned. */
  readonly jws: SignedCard | null
  /** How long it may be believed, ms. */
  readonly goodForMs: number
}

/** What is known of a node now. */
export interface Heard {
  readonly card: Card | null
  /** When there was a sign of life, on the monotonic clock, ms; null without. */
  readonly heardAt: number | null
  /** Why it counts as away; null while it does not. */
  readonly problem: string | null
}

interface Member {
  readonly id: NodeId
  /** Whether its cards are of use, and ours are for it. */
  isTrusted: boolean
  held: OpenCard | null
  expiresAt: number
  heardAt: number | null
  /** Of the look that ended last: null when it was answered. */
  failure: string | null
  failures: number
  wasAsked: boolean
  /** A card of it came since it did not answer: it may be back. */
  isHeardOf: boolean
  /** It answers, and tells this node nothing: then what others have of it is of no use here. */
  isMute: boolean
  isBusy: boolean
  dueAt: number
  /** Messages it may still send, and since when that counts. */
  allowance: number
  allowanceAt: number
}

export interface Plan {
  /** Whom to ask now. */
  readonly partners: readonly NodeId[]
  /** Until the next plan, ms; null: not before something changes. */
  readonly waitMs: number | null
}

/**
 * What a node knows of others, and whom it asks next. Each round some are asked, in an order that is shuffled anew when all had their
 * turn; what they have heard is evened out in both directions (push-pull anti-entropy, Demers et al. 1987), and a node that shows
 * no sign of life for long counts as away (van Renesse, Minsky, Hayden 1998; turns as in SWIM, Das et al. 2002). No I/O, no clock.
 */
export interface GossipState {
  /** These are known, and no others. */
  keep(nodes: readonly { readonly id: NodeId; readonly isTrusted: boolean }[], now: number): void
  of(id: NodeId, now: number): Heard
  plan(now: number): Plan
  begin(id: NodeId): void
  end(id: NodeId, failure: string | null, now: number): void
  /** What to ask a node. */
  message(): GossipMessage
  /** What to answer it. @returns null when it asks too often */
  answer(from: NodeId, message: GossipMessage, now: number): GossipAnswer
  /** Counts a message. @returns how long it is too early for it, ms */
  admit(from: NodeId, now: number): number
  /** The cards an answer asked for. */
  wanted(wants: readonly NodeId[]): GossipMessage
  /** Whether a card would be news. */
  isNews(node: NodeId, seq: number): boolean
  /** Takes a card that is newer than the one there is. @returns whether it did */
  learn(open: OpenCard, now: number): boolean
  /** Whether a node that answered told something, or only that it is there. */
  heed(id: NodeId, told: boolean): void
  /** Our own card, for the others. */
  own: { readonly seq: number; readonly jws: SignedCard } | null
  /** The number our next card must pass: others have one of us from before. */
  readonly ownFloor: number
  /** How long our own card is good enough, ms. */
  ownFreshMs(): number
}

export function createGossipState({ self, random }: { self: NodeId; random: () => number }): GossipState {
  const members = new Map<NodeId, Member>()
  /** Who has not had its turn. */
  let turns: NodeId[] = []
  let roundAt = Number.NEGATIVE_INFINITY
  let hasteAt = Number.NEGATIVE_INFINITY
  let hastyLeft = HASTY_A_ROUND
  let own: GossipState['own'] = null
  let ownFloor = 0

  const freshMs = () => Math.max(ROUND_MS, CARD_MS_PER_NODE * members.size)
  /** After so long without a sign of life something is wrong: a card comes every `freshMs` and needs about log(n) rounds. */
  const silenceMs = () => freshMs() + ROUND_MS * (3 + Math.ceil(Math.log2(members.size + 1)))
  const isSilent = (member: Member, now: number) => now - (member.heardAt ?? Number.NEGATIVE_INFINITY) > silenceMs()
  /** Cannot wait for its turn. */
  const isHasty = (member: Member, now: number) =>
    (!member.wasAsked && (member.heardAt === null || (member.isTrusted && member.held === null))) ||
    (member.failures > 0 ? member.failures < HASTY_FAILURES || member.isHeardOf : member.wasAsked && isSilent(member, now))
  const seqOf = (id: NodeId): number => (id === self ? (own?.seq ?? 0) : (members.get(id)?.held?.card.seq ?? 0))
  const jwsOf = (id: NodeId): SignedCard | null => (id === self ? (own?.jws ?? null) : (members.get(id)?.held?.jws ?? null))
  const trusted = (id: NodeId): Member | null => {
    const member = members.get(id)
    return member?.isTrusted ? member : null
  }

  function nextTurns(now: number, most: number, taken: readonly NodeId[]): NodeId[] {
    const chosen: NodeId[] = []
    let failing = 0
    // Twice around at most: what is left of this order, and a new one.
    for (let left = 2 * members.size; chosen.length < Math.min(most, members.size) && left > 0; left--) {
      if (turns.length === 0) turns = shuffled([...members.keys()], random)
      const id = turns.pop()
      const member = id === undefined ? undefined : members.get(id)
      if (!member || member.isBusy || member.dueAt > now || chosen.includes(member.id) || taken.includes(member.id)) continue
      // One that is away must not keep a round from those that are there.
      if (member.failures > 0 && ++failing > 1) continue
      chosen.push(member.id)
    }
    return chosen
  }

  return {
    keep(nodes, now) {
      const ids = new Set(nodes.map(({ id }) => id))
      for (const id of members.keys()) if (!ids.has(id)) members.delete(id)
      turns = turns.filter(id => ids.has(id))
      for (const { id, isTrusted } of nodes) {
        const known = members.get(id)
        if (!known) members.set(id, newMember(id, isTrusted, now))
        else if (known.isTrusted !== isTrusted) {
          members.set(id, { ...newMember(id, isTrusted, now), heardAt: known.heardAt, isBusy: known.isBusy })
        }
      }
    },
    of(id, now) {
      const member = members.get(id)
      if (!member) return { card: null, heardAt: null, problem: NOT_ASKED }
      const { held, heardAt, failure, expiresAt } = member
      const card = held && expiresAt > now ? held.card : null
      if (failure !== null) return { card, heardAt, problem: failure }
      if (heardAt === null) return { card, heardAt, problem: NOT_ASKED }
      return {
        card,
        heardAt,
        problem: isSilent(member, now) ? `Nobody has heard of it for ${Math.round((now - heardAt) / 1000)} s.` : null,
      }
    },
    plan(now) {
      if (members.size === 0) return { partners: [], waitMs: null }
      const busy = [...members.values()].filter(({ isBusy }) => isBusy).length
      const room = Math.max(0, FANOUT - busy)
      const partners: NodeId[] = []
      const isRound = now - roundAt >= ROUND_MS
      if (isRound) hastyLeft = HASTY_A_ROUND
      const hasty = [...members.values()].filter(one => !one.isBusy && isHasty(one, now))
      if (now - hasteAt >= SOON_MS) {
        const due = hasty.filter(({ dueAt }) => dueAt <= now)
        partners.push(
          ...shuffled(due, random)
            .slice(0, Math.min(room, hastyLeft))
            .map(({ id }) => id),
        )
        hastyLeft -= partners.length
        if (partners.length > 0) hasteAt = now
      }
      if (isRound) {
        roundAt = now
        partners.push(...nextTurns(now, room - partners.length, partners))
      }
      // Without room there is a new plan when a look ends.
      const canHaste = partners.length < room && hastyLeft > 0
      const waiting = canHaste ? hasty.filter(({ id }) => !partners.includes(id)) : []
      const haste = Math.min(...waiting.map(({ dueAt }) => Math.max(dueAt, hasteAt + SOON_MS)))
      return { partners, waitMs: Math.max(0, Math.min(roundAt + ROUND_MS, haste) - now) }
    },
    begin(id) {
      const member = members.get(id)
      if (member) Object.assign(member, { isBusy: true, wasAsked: true })
    },
    end(id, failure, now) {
      const member = members.get(id)
      if (!member) return
      member.isBusy = false
      member.failure = failure
      member.isHeardOf = false
      member.failures = failure === null ? 0 : member.failures + 1
      if (failure === null) member.heardAt = now
      member.dueAt = failure === null ? now : now + Math.min(SOON_MS * 2 ** (member.failures - 1), LAST_PAUSE_MS)
    },
    message() {
      const known = [...members.values()].filter(({ isTrusted }) => isTrusted)
      const byNews = known.toSorted((a, b) => (b.heardAt ?? 0) - (a.heardAt ?? 0))
      // Half of them what changed last, which spreads news fast; the rest at random, so that nothing is forgotten for ever.
      const newest = byNews.splice(0, GOSSIP_DIGEST / 2 - 1)
      const rest = shuffled(byNews, random).slice(0, GOSSIP_DIGEST / 2)
      const ids = [self, ...newest.map(({ id }) => id), ...rest.map(({ id }) => id)]
      return { digest: ids.map(node => ({ node, seq: seqOf(node) })), cards: fitting([jwsOf(self)]) }
    },
    answer(from, { digest }, now) {
      const sender = members.get(from)
      if (sender) {
        sender.heardAt = now
        // It is there again: see whether it can be reached too.
        if (sender.failures > 0) Object.assign(sender, { failures: 1, dueAt: now })
      }
      const newer = digest.filter(({ node, seq }) => seqOf(node) > seq).map(({ node }) => jwsOf(node))
      const older = digest.filter(({ node, seq }) => seqOf(node) < seq && node !== self && trusted(node))
      return {
        cards: fitting(shuffled(newer, random)),
        wants: shuffled(older, random)
          .slice(0, GOSSIP_CARDS)
          .map(({ node }) => node),
      }
    },
    admit(from, now) {
      const sender = members.get(from)
      if (!sender) return REFILL_MS
      sender.allowance = Math.min(BURST, sender.allowance + (now - sender.allowanceAt) / REFILL_MS)
      sender.allowanceAt = now
      if (sender.allowance < 1) return Math.ceil((1 - sender.allowance) * REFILL_MS)
      sender.allowance -= 1
      return 0
    },
    wanted: wants => ({ digest: [], cards: fitting(wants.map(jwsOf)) }),
    isNews: (node, seq) => (node === self ? seq > seqOf(self) : trusted(node)?.isMute === false && seq > seqOf(node)),
    learn({ card, jws, goodForMs }, now) {
      const { node, seq } = card
      if (node === self) {
        ownFloor = Math.max(ownFloor, seq)
        return false
      }
      const member = trusted(node)
      if (!member || member.isMute || seq <= seqOf(node)) return false
      member.held = { card, jws, goodForMs }
      member.expiresAt = now + goodForMs
      member.heardAt = now
      member.isHeardOf = true
      return true
    },
    heed(id, told) {
      const member = members.get(id)
      if (member) Object.assign(member, { isMute: !told, held: told ? member.held : null })
    },
    get own() {
      return own
    },
    set own(card) {
      own = card
    },
    get ownFloor() {
      return ownFloor
    },
    ownFreshMs: freshMs,
  }
}

const NOT_ASKED = 'It was not asked yet.'

const newMember = (id: NodeId, isTrusted: boolean, now: number): Member => ({
  id,
  isTrusted,
  held: null,
  expiresAt: 0,
  heardAt: null,
  failure: null,
  failures: 0,
  wasAsked: false,
  isHeardOf: false,
  isMute: false,
  isBusy: false,
  dueAt: now,
  allowance: BURST,
  allowanceAt: now,
})

/** As many of these as one message may hold. */
function fitting(cards: readonly (SignedCard | null)[]): SignedCard[] {
  const chosen: SignedCard[] = []
  let room = GOSSIP_CHARS
  for (const card of cards) {
    if (card === null || card.length > Math.min(room, CARD_CHARS)) continue
    if (chosen.length === GOSSIP_CARDS) break
    chosen.push(card)
    room -= card.length
  }
  return chosen
}
