import type { Call, Handlers } from '#server/lib/call.ts'
import { infeasible, type Reservations } from '#server/placement/index.ts'
import type { HostedKey } from '#server/store/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import type { Announcement, AttemptPlace, Card, JobId, NodeId } from '#shared/model/index.ts'
import type { Bidding } from './bidding.ts'
import { createDoor } from './door.ts'
import type { Hosting } from './hosting.ts'
import type { OwnCard } from './own-card.ts'
import type { Permissions } from './permissions.ts'
import type { JobDeps } from './ports.ts'
import type { Space } from './space.ts'

/** What this node answers to others about their jobs. */
export type PeerHandlers = Pick<
  Handlers,
  | 'card'
  | 'announce'
  | 'releaseBid'
  | 'award'
  | 'shipSnapshot'
  | 'renew'
  | 'attemptLog'
  | 'attemptPlaces'
  | 'attemptResult'
  | 'modelCalls'
  | 'answerModelCall'
  | 'settleAttempt'
  | 'answerForAttempt'
>

export interface PeerHandlerParts {
  readonly ownCard: OwnCard
  readonly reservations: Reservations
  readonly bidding: Bidding
  readonly hosting: Hosting
  readonly permissions: Permissions
  readonly space: Pick<Space, 'missing'>
  /** Sandboxes of an attempt that exist on this node. */
  readonly placesOf: (id: JobId, epoch: number) => Promise<readonly AttemptPlace[]>
  isReady(): boolean
  isDraining(): boolean
}

export function createPeerHandlers(deps: JobDeps, parts: PeerHandlerParts): PeerHandlers {
  const { clock, log } = deps
  const { ownCard, reservations, bidding, hosting, permissions, space, placesOf, isReady, isDraining } = parts
  /** Whose bid is whose: a bid is good for the node that asked for it, and for that attempt, until a time of the monotonic clock. */
  const bids = new Map<string, { home: NodeId; jobId: string; epoch: number; until: number }>()
  const promised = () => [...bids.values()].filter(({ until }) => until > clock.monotonic()).length
  const door = createDoor(deps, {
    isReady,
    isDraining,
    hosted: () => hosting.running() + promised(),
    missingBytes: space.missing,
  })

  const homeOf = ({ peer }: Call): NodeId => {
    if (peer) return peer
    throw new ApiError('unauthorized', 'Only another node may ask this.')
  }
  const keyOf = (params: { id: string; epoch: number }, call: Call): HostedKey => ({
    home: homeOf(call),
    jobId: params.id,
    epoch: params.epoch,
  })
  const ok = { status: 200, body: { ok: true } } as const

  const lacks = (wanted: Announcement, card: Card): string | null => {
    const { agent, executor, isolation, image, gpus, model, models, labels, gpu } = wanted
    const where = { on: [], notOn: [], labels, gpu, local: false }
    return infeasible({ agent, executor, isolation, image, gpus, where, models, ...(model === null ? {} : { model }) }, card)
  }

  async function refusal(home: NodeId, wanted: Announcement): Promise<{ isTransient: boolean; reason: string } | null> {
    const [card, seen] = await Promise.all([ownCard.get(), door.look()])
    // Whom nothing is told gets no further than the door.
    const verdict = door.judge(home, wanted, seen)
    if (!verdict.take) return verdict
    if (await hosting.isAnothers(home, wanted.jobId))
      return { isTransient: false, reason: 'A job of another node has that id here.' }
    const reason = lacks(wanted, card)
    return reason === null ? null : { isTransient: false, reason }
  }

  return {
    async card(_, call) {
      homeOf(call)
      return { status: 200, body: await ownCard.get() }
    },
    async announce({ body }, call) {
      const home = homeOf(call)
      const no = await refusal(home, body)
      if (no) return { status: 200, body: { kind: 'no', isTransient: no.isTransient, reason: no.reason, againMs: null } }
      const bid = await bidding.bid(body, home)
      if (bid.kind === 'bid') {
        const { bidId, ttlMs } = bid
        bids.set(bidId, { home, jobId: body.jobId, epoch: body.epoch, until: clock.monotonic() + ttlMs })
        // Longer than the promise itself: an award that comes late is told so by name.
        clock.after(2 * ttlMs, () => bids.delete(bidId))
      }
      return { status: 200, body: bid }
    },
    async releaseBid({ body }, call) {
      if (bids.get(body.bidId)?.home !== homeOf(call)) return ok
      bids.delete(body.bidId)
      reservations.release(body.bidId)
      return ok
    },
    async award({ body }, call) {
      const home = homeOf(call)
      const before = await hosting.awarded({ home, jobId: body.jobId, epoch: body.epoch })
      if (before) return { status: 200, body: before }
      const bid = bids.get(body.bidId)
      if (bid?.home !== home || bid.jobId !== body.jobId || bid.epoch !== body.epoch)
        throw new ApiError('not_yours', 'There is no such bid; it has expired, or was for something else.')
      const seen = await door.look()
      // What this bid promised is not counted against its own award.
      bids.delete(body.bidId)
      const { executor, isolation, where } = body.spec
      const verdict = door.judge(home, { executor, isolation, labels: where.labels }, seen)
      if (!verdict.take) {
        reservations.release(body.bidId)
        log.warn({ home, jobId: body.jobId, reason: verdict.reason }, 'An award was turned away')
        throw new ApiError('not_yours', verdict.reason)
      }
      const awarded = await hosting.award(home, body)
      return { status: 200, body: awarded }
    },
    async shipSnapshot({ params, query, body }, call) {
      return { status: 200, body: { bytes: await hosting.receiveSnapshot(keyOf(params, call), { ...query, body }) } }
    },
    async renew({ params, body }, call) {
      return { status: 200, body: await hosting.renew(keyOf(params, call), body, call.signal) }
    },
    async attemptLog({ params, query }, call) {
      return { body: await hosting.log(keyOf(params, call), query.offset, call.signal) }
    },
    async attemptPlaces({ params }, call) {
      await hosting.requireOf(keyOf(params, call))
      return { status: 200, body: { items: [...(await placesOf(params.id, params.epoch))] } }
    },
    async attemptResult({ params, query }, call) {
      const { body, bytes } = await hosting.result(keyOf(params, call), query.offset)
      return { headers: { 'content-length': String(bytes - query.offset) }, body }
    },
    async modelCalls({ params, body }, call) {
      return { status: 200, body: await hosting.modelCalls(keyOf(params, call), body, call.signal) }
    },
    async answerModelCall({ params, query, body }, call) {
      const answered = await hosting.answerModelCall(keyOf(params, call), params.call, { ...query, body }, call.signal)
      return { status: 200, body: answered }
    },
    async settleAttempt({ params }, call) {
      await hosting.settle(keyOf(params, call))
      return ok
    },
    async answerForAttempt({ params, body }, call) {
      await hosting.requireOf(keyOf(params, call))
      permissions.answer(params.id, params.requestId, body.optionId)
      return ok
    },
  }
}
