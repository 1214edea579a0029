import { messageOf } from '#server/lib/message-of.ts'
import { within } from '#server/lib/within.ts'
import type { Fleet } from '#server/peers/index.ts'
import {
  best,
  bounded,
  type Chosen,
  candidatesOf,
  infeasible,
  place,
  promisedOf,
  type Reservations,
  sample,
  score,
} from '#server/placement/index.ts'
import type { JobRow } from '#server/store/index.ts'
import type {
  Announcement,
  Bid,
  Card,
  Correction,
  NodeId,
  PlacementAnswer,
  PlacementOutcome,
  PlacementRecord,
  PlacementWeights,
  Terms,
} from '#shared/model/index.ts'
import type { Bidding } from './bidding.ts'
import type { Experience } from './experience.ts'
import { repositoryOf } from './hosted-attempt.ts'
import type { OwnCard } from './own-card.ts'
import type { JobDeps } from './ports.ts'

/** Longest wait for one node's bid, ms. One that is dead must not hold up those that answer. */
const ASK_MS = 700
/** Nodes told of that were not asked; a fleet may have thousands. */
const MOST_FILTERED = 100

/** Who got the work, and how that came to be. */
export interface Negotiated {
  readonly record: PlacementRecord
  /** null: nobody takes it now. */
  readonly winner: {
    readonly node: NodeId
    readonly bidId: string
    readonly ttlMs: number
    readonly terms: Terms
    /** Which of its executors was asked for. */
    readonly executor: string
    readonly promised: PlacementOutcome['promised']
  } | null
}

interface Asked extends Chosen {
  readonly announcement: Announcement
  readonly bid: Bid | { readonly kind: 'silent'; readonly problem: string }
  readonly ms: number
}

/** What was said in earlier rounds of the same attempt. */
export interface Earlier {
  /** How often it was announced before. */
  readonly rounds: number
  /** Why a node said that it will not take this job, now or later; null when it did not. */
  refused(node: NodeId): string | null
}

/** What a home does to find a node for a job: a contract net over a sample of the nodes that could do it (Smith 1980). */
export interface Negotiation {
  negotiate(job: JobRow, signal: AbortSignal, earlier?: Earlier): Promise<Negotiated>
}

export function createNegotiation(
  deps: Pick<JobDeps, 'clock' | 'random'> & {
    readonly models: Pick<JobDeps['models'], 'has'>
    readonly settings: Pick<JobDeps['settings'], 'placement' | 'models'>
  },
  parts: { fleet: Fleet; ownCard: OwnCard; reservations: Reservations; bidding: Bidding; experience: Experience },
): Negotiation {
  const { clock, settings, random, models } = deps
  const { fleet, ownCard, reservations, bidding, experience } = parts

  async function ask(chosen: Chosen, announcement: Announcement, signal: AbortSignal): Promise<Asked> {
    const begun = clock.monotonic()
    const { node } = chosen.card
    try {
      const link = fleet.link(node)
      const bid =
        chosen.why === 'self'
          ? await bidding.bid(announcement, null)
          : link
            ? await within(clock, ASK_MS, signal, until => link.announce(announcement, until))
            : ({ kind: 'no', isTransient: false, reason: 'The trust in it has ended.', againMs: null } as const)
      return {
        ...chosen,
        announcement,
        bid: bid.kind === 'bid' ? { ...bid, terms: bounded(bid.terms) } : bid,
        ms: clock.monotonic() - begun,
      }
    } catch (error) {
      const problem = messageOf(error)
      return { ...chosen, announcement, bid: { kind: 'silent', problem }, ms: clock.monotonic() - begun }
    }
  }

  function valued({ card: { node }, bid }: Asked, correction: Correction, weights: PlacementWeights): PlacementAnswer {
    if (bid.kind !== 'bid') return bid
    const trust = node === fleet.self.id ? 'self' : fleet.trust(node)
    const { total, parts } = score(bid.terms, { correction, trust }, weights)
    return { kind: 'bid', terms: bid.terms, score: total, parts, correction, trust }
  }

  /** A node that never ran such a job is taken to need as long as others say they do, not as long as some job may. */
  function weightsFor(asked: readonly Asked[]): PlacementWeights {
    const runs = asked.flatMap(({ bid }) =>
      bid.kind === 'bid' && bid.terms.runMs ? [promisedOf(bid.terms, settings.placement)] : [],
    )
    const inOrder = runs.map(({ runMs }) => runMs).sort((a, b) => a - b)
    return { ...settings.placement, unknownRunMs: inOrder[inOrder.length >> 1] ?? settings.placement.unknownRunMs }
  }

  /** Losers need not wait for their promise to expire; one that does not hear of it lets it expire. @returns requests sent */
  function release(losers: readonly Asked[]): number {
    let sent = 0
    for (const { card, bid } of losers) {
      if (bid.kind !== 'bid') continue
      const link = card.node === fleet.self.id ? null : fleet.link(card.node)
      if (link) sent += 1
      else reservations.release(bid.bidId)
      void link?.releaseBid(bid.bidId).catch(() => {})
    }
    return sent
  }

  return {
    async negotiate(job, signal, earlier = { rounds: 0, refused: () => null }) {
      const { where, sandbox, model } = job.spec
      const [own, promises] = await Promise.all([ownCard.get(), experience.promises()])
      const cards = where.local || sandbox === 'none' ? [] : fleet.cards()
      const atHome = model !== undefined && (await models.has(model))
      const elsewhere = { policy: settings.models, atHome }
      const here = { policy: 'prefer-home', atHome } as const
      const judge = (card: Card) =>
        earlier.refused(card.node) ?? infeasible({ ...job.spec, models: card === own ? here : elsewhere }, card)
      const { snapshot } = job
      // Others call their caches of this node's repositories by names of their own.
      const cache = snapshot && { repositoryId: repositoryOf(fleet.self.id, snapshot.repositoryId) }
      const { chosen, filtered } = sample({ own, cards, job: { spec: job.spec, snapshot: cache }, judge, random })
      const bids = await Promise.all(chosen.map(one => ask(one, announcementOf(job, elsewhere, one.card), signal)))
      const weights = weightsFor(bids)
      const asked = bids.map(one => ({
        ...one,
        answer: valued(one, promises.correction(one.card.node, one.announcement), weights),
      }))
      const won = asked[best(asked.map(scoreOf), random)]
      const released = release(asked.filter(one => one !== won))
      const isAway = (one: Asked | undefined) => one !== undefined && one.why !== 'self'
      const record: PlacementRecord = {
        epoch: job.epoch,
        at: new Date(clock.now()).toISOString(),
        round: earlier.rounds + 1,
        messages: asked.filter(isAway).length + Number(isAway(won)) + released,
        known: cards.length + 1,
        filtered: filtered.slice(0, MOST_FILTERED).map(({ card, why }) => ({ node: card.node, name: card.name, why })),
        asked: asked.map(({ card, why, answer, ms }) => ({ node: card.node, name: card.name, why, answer, ms: Math.round(ms) })),
        awarded: won?.card.node ?? null,
        outcome: null,
      }
      if (won?.bid.kind !== 'bid') return { record, winner: null }
      const { bidId, ttlMs, terms } = won.bid
      return {
        record,
        winner: {
          node: won.card.node,
          bidId,
          ttlMs,
          terms,
          executor: won.announcement.executor,
          promised: promisedOf(terms, weights),
        },
      }
    },
  }
}

const scoreOf = ({ answer }: { answer: PlacementAnswer }): number =>
  answer.kind === 'bid' ? answer.score : Number.POSITIVE_INFINITY

/** @param card of whom it is for: a node is told which of its executors is meant, for older ones know of no other way to ask */
function announcementOf({ id, epoch, spec, snapshot }: JobRow, models: Announcement['models'], card: Card): Announcement {
  const placement = place(spec, candidatesOf(card))
  const { isolation, image, gpus } = spec
  return {
    jobId: id,
    epoch,
    agent: spec.agent,
    executor: placement.ok ? placement.executor : spec.executor,
    ...(isolation === undefined ? {} : { isolation }),
    ...(image === undefined ? {} : { image }),
    ...(gpus === undefined ? {} : { gpus }),
    model: spec.model ?? null,
    models,
    labels: spec.where.labels,
    gpu: spec.where.gpu,
    setup: spec.setup.length > 0,
    repository: snapshot && { id: snapshot.repositoryId, commit: snapshot.commit, base: snapshot.base },
  }
}
