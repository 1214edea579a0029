import { within } from '#server/lib/within.ts'
import type { Fleet } from '#server/peers/index.ts'
import { best, infeasible, type Reservations, sample, score } from '#server/placement/index.ts'
import type { JobRow } from '#server/store/index.ts'
import type { Announcement, Bid, Card, NodeId, PlacementAnswer, PlacementRecord, Terms } from '#shared/model/index.ts'
import type { OwnCard } from './own-card.ts'
import type { JobDeps } from './ports.ts'
import { termsFor } from './terms.ts'

/** Longest wait for one node's bid, ms. One that is dead must not hold up those that answer. */
const ASK_MS = 700

/** Who got the work, and how that came to be. */
export interface Negotiated {
  readonly record: PlacementRecord
  /** null: nobody takes it now. */
  readonly winner: { readonly node: NodeId; readonly bidId: string; readonly ttlMs: number; readonly terms: Terms } | null
}

interface Asked {
  readonly card: Card
  readonly why: 'self' | 'random' | 'warm'
  readonly bid: Bid | null
  readonly answer: PlacementAnswer
  readonly ms: number
}

/** What a home does to find a node for a job: a contract net over a sample of the nodes that could do it (Smith 1980). */
export interface Negotiation {
  negotiate(job: JobRow, signal: AbortSignal): Promise<Negotiated>
}

export function createNegotiation(
  deps: JobDeps,
  parts: { fleet: Fleet; ownCard: OwnCard; reservations: Reservations },
): Negotiation {
  const { clock, settings, random, newToken, models } = deps
  const { fleet, ownCard, reservations } = parts

  async function askHere(announcement: Announcement): Promise<Bid> {
    const bidId = newToken()
    if (!reservations.reserve(bidId, settings.bidMs))
      return { kind: 'no', isTransient: true, reason: 'All places of this node are taken.' }
    return { kind: 'bid', bidId, ttlMs: settings.bidMs, terms: await termsFor(deps, reservations, announcement, null) }
  }

  async function ask(chosen: { card: Card; why: Asked['why'] }, announcement: Announcement, signal: AbortSignal): Promise<Asked> {
    const begun = clock.monotonic()
    const { node } = chosen.card
    try {
      const link = fleet.link(node)
      const bid =
        chosen.why === 'self'
          ? await askHere(announcement)
          : link
            ? await within(clock, ASK_MS, signal, until => link.announce(announcement, until))
            : ({ kind: 'no', isTransient: false, reason: 'The trust in it has ended.' } as const)
      return { ...chosen, bid, answer: valued(bid), ms: clock.monotonic() - begun }
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error)
      return { ...chosen, bid: null, answer: { kind: 'silent', problem }, ms: clock.monotonic() - begun }
    }
  }

  function valued(bid: Bid): PlacementAnswer {
    if (bid.kind === 'no') return bid
    const { total, parts: terms } = score(bid.terms, settings.placement)
    return { kind: 'bid', terms: bid.terms, score: total, parts: terms }
  }

  /** Losers need not wait for their promise to expire; one that does not hear of it lets it expire. */
  function release(losers: readonly Asked[]): void {
    for (const { card, bid } of losers) {
      if (bid?.kind !== 'bid') continue
      if (card.node === fleet.self.id) reservations.release(bid.bidId)
      else
        void fleet
          .link(card.node)
          ?.releaseBid(bid.bidId)
          .catch(() => {})
    }
  }

  return {
    async negotiate(job, signal) {
      const cards = [await ownCard.get(), ...(job.spec.where.local || job.spec.sandbox === 'none' ? [] : fleet.cards())]
      const { model } = job.spec
      const atHome = model !== undefined && (await models.has(model))
      const elsewhere = { policy: settings.models, atHome }
      const here = { policy: 'prefer-home', atHome } as const
      const judged = cards.map(card => {
        const wanted = { ...job.spec, models: card.node === fleet.self.id ? here : elsewhere }
        return { card, why: infeasible(wanted, card) }
      })
      const able = judged.filter(({ why }) => why === null).map(({ card }) => card)
      const chosen = sample({ self: fleet.self.id, cards: able, job, random })
      const announcement = announcementOf(job, elsewhere)
      const asked = await Promise.all(chosen.map(one => ask(one, announcement, signal)))
      const bids = asked.filter(({ bid }) => bid?.kind === 'bid')
      const won =
        bids[
          best(
            bids.map(({ answer }) => (answer.kind === 'bid' ? answer.score : Number.POSITIVE_INFINITY)),
            random,
          )
        ]
      release(bids.filter(one => one !== won))
      const record: PlacementRecord = {
        epoch: job.epoch,
        at: new Date(clock.now()).toISOString(),
        filtered: judged.flatMap(({ card, why }) => (why === null ? [] : [{ node: card.node, name: card.name, why }])),
        asked: asked.map(({ card, why, answer, ms }) => ({ node: card.node, name: card.name, why, answer, ms: Math.round(ms) })),
        awarded: won?.card.node ?? null,
      }
      if (won?.bid?.kind !== 'bid') return { record, winner: null }
      return { record, winner: { node: won.card.node, bidId: won.bid.bidId, ttlMs: won.bid.ttlMs, terms: won.bid.terms } }
    },
  }
}

function announcementOf({ id, epoch, spec, snapshot }: JobRow, models: Announcement['models']): Announcement {
  return {
    jobId: id,
    epoch,
    agent: spec.agent,
    executor: spec.executor,
    model: spec.model ?? null,
    models,
    labels: spec.where.labels,
    gpu: spec.where.gpu,
    repository: snapshot && { id: snapshot.repositoryId, commit: snapshot.commit, base: snapshot.base },
  }
}
