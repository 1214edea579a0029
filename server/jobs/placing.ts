import type { Fleet } from '#server/peers/index.ts'
import type { Reservations } from '#server/placement/index.ts'
import type { JobRow } from '#server/store/index.ts'
import type { JobSpec, NodeId, PlacementOutcome, PlacementRecord } from '#shared/model/index.ts'
import { createBrokenBids } from './broken-bids.ts'
import { classOf } from './experience.ts'
import { WorkFailure } from './failures.ts'
import type { Negotiation } from './negotiation.ts'
import type { JobDeps } from './ports.ts'

/** Pauses before a job that nobody takes is announced again, ms: doubled each time; each by chance between half and one and a half. */
const FIRST_AGAIN_MS = 1_000
const LAST_AGAIN_MS = 30_000
/** How long a node that will not take a job is not asked again, ms: its owner may change his mind. */
const REFUSED_MS = 5 * 60_000

/** How a bid came to win, and what it promised. */
interface Bargain {
  readonly record: PlacementRecord
  readonly promised: PlacementOutcome['promised']
}

/** Where an attempt runs: here, under a place of this node's, or there, under a bid. */
export type Placed =
  | { readonly kind: 'here'; readonly placeId: string; readonly executor: string | null; readonly bargain: Bargain | null }
  | {
      readonly kind: 'there'
      readonly node: NodeId
      readonly bidId: string
      readonly ttlMs: number
      readonly haves: readonly string[]
      readonly executor: string
      readonly bargain: Bargain
    }

interface Watch {
  /** The job with what may change meanwhile: where it may not go. */
  readonly asOfNow: (job: JobRow) => Promise<JobRow>
  /** Called after each round in which nobody could take the job, however much room there was. */
  readonly nobodyCan: () => void
}

/** Finds a node for a job, however long it takes. @throws {WorkFailure} `queue_timeout`; the signal's reason when it aborts */
export interface Placing {
  place(job: JobRow, signal: AbortSignal, watch?: Watch): Promise<Placed>
  /** Keeps how an attempt came to its node, or why it waits, for whoever asks. */
  remember(job: JobRow, record: PlacementRecord): Promise<void>
  /** An attempt has ended that another node had: what it means for whom the job is offered to next. */
  learn(jobId: JobRow['id'], node: NodeId, isBack: boolean): void
}

export function createPlacing(
  {
    clock,
    settings,
    newToken,
    random,
    store,
  }: Pick<JobDeps, 'clock' | 'newToken' | 'random'> & {
    readonly settings: Pick<JobDeps['settings'], 'bidMs'>
    readonly store: Pick<JobDeps['store'], 'change'>
  },
  {
    fleet,
    reservations,
    negotiation,
    isDraining,
  }: { fleet: Fleet; reservations: Reservations; negotiation: Negotiation; isDraining(): boolean },
): Placing {
  const brokenBids = createBrokenBids(clock)

  /** With nobody else to ask there is nothing to negotiate, and what has to wait does so where priorities count. */
  function placeAlone({ id, spec, snapshot }: JobRow): Placed | null {
    if (brokenBids.why(id, fleet.self.id) !== null || fleet.cards().length > 0 || isPicky(spec) || isDraining()) return null
    const placeId = newToken()
    const place = reservations.reserve(placeId, settings.bidMs, classOf(spec, snapshot), { mayWait: false })
    return place !== null && reservations.take(placeId) ? { kind: 'here', placeId, executor: null, bargain: null } : null
  }

  async function remember(job: JobRow, placement: PlacementRecord): Promise<void> {
    const guard = { state: job.state, epoch: job.epoch }
    await store.change({ id: job.id, guard, patch: {}, events: [], at: clock.now(), placement }, { durable: false })
  }

  /** Listens for room here from now on. */
  function expectRoom(): { come: Promise<void>; [Symbol.dispose](): void } {
    const { promise, resolve } = Promise.withResolvers<void>()
    return { come: promise, [Symbol.dispose]: reservations.onFree(resolve) }
  }

  /** Fulfils when room appeared here, when another node told of itself but not at once, or when the time is over. */
  function change(ms: number, room: Promise<void>, signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      let offFleet = () => {}
      const done = () => {
        for (const undo of [cancelFirst, cancelLast, offFleet]) undo()
        signal.removeEventListener('abort', done)
        resolve()
      }
      // Cards of many nodes come every moment: they are no reason to ask eight of them again each time.
      const cancelFirst = clock.after(Math.min(ms, FIRST_AGAIN_MS), () => {
        offFleet = fleet.onChange(done)
      })
      const cancelLast = clock.after(ms, done)
      void room.then(done)
      signal.addEventListener('abort', done, { once: true })
      if (signal.aborted) done()
    })
  }

  /** How long to wait for better luck, ms: until one that had no room may have some, else longer each time. */
  function pauseAfter({ asked, round }: PlacementRecord): number {
    const hints = asked.flatMap(({ answer }) => (answer.kind === 'no' && answer.isTransient ? (answer.againMs ?? []) : []))
    const wanted = Math.min(...hints, FIRST_AGAIN_MS * 2 ** Math.min(round - 1, 10))
    return Math.min(LAST_AGAIN_MS, Math.max(FIRST_AGAIN_MS, wanted)) * (0.5 + random())
  }

  return {
    remember,
    learn(jobId, node, isBack) {
      if (isBack) brokenBids.add(jobId, node)
      else brokenBids.forget(jobId)
    },
    async place(claimed, signal, { asOfNow, nobodyCan } = UNWATCHED) {
      const { id } = claimed
      const refusals = new Map<NodeId, { reason: string; at: number }>()
      const refused = (node: NodeId): string | null => {
        const found = refusals.get(node)
        const broken = brokenBids.why(id, node)
        if (broken !== null) return broken
        return found && clock.monotonic() - found.at < REFUSED_MS ? `It said no for good: ${found.reason}` : null
      }
      for (let rounds = 0; ; rounds++) {
        signal.throwIfAborted()
        // Before anybody is asked: room that appears while they answer is not missed.
        using room = expectRoom()
        const job = await asOfNow(claimed)
        const alone = placeAlone(job)
        if (alone) return alone
        const { winner, record } = await negotiation.negotiate(job, signal, { rounds, refused })
        for (const { node, answer } of record.asked)
          if (answer.kind === 'no' && !answer.isTransient) refusals.set(node, { reason: answer.reason, at: clock.monotonic() })
        if (winner) {
          const { node, bidId, ttlMs, terms, executor, promised } = winner
          const bargain = { record, promised }
          if (node !== fleet.self.id) return { kind: 'there', node, bidId, ttlMs, haves: terms.haves, executor, bargain }
          if (reservations.take(bidId)) return { kind: 'here', placeId: bidId, executor, bargain }
        } else await remember(job, record)
        if (clock.now() >= job.queueDeadline)
          throw new WorkFailure(
            'queue_timeout',
            'No node took the job within timeouts.queueMs.',
            '`skein jobs show ID --why` tells who was asked and what each answered.',
          )
        if (!record.asked.some(lacksOnlyRoom)) nobodyCan()
        await change(pauseAfter(record), room.come, signal)
      }
    },
  }
}

const UNWATCHED: Watch = { asOfNow: async job => job, nobodyCan: () => {} }

/** Who names a time waits for an end; who names none has its hours, or is not idle. */
const lacksOnlyRoom = ({ answer }: PlacementRecord['asked'][number]): boolean =>
  answer.kind === 'bid' || (answer.kind === 'no' && answer.isTransient && answer.againMs !== null)

/** What not every free place here will do for. */
const isPicky = ({ where, executor, image, gpus, isolation }: JobSpec): boolean =>
  !['auto', 'process'].includes(executor) ||
  image !== undefined ||
  gpus !== undefined ||
  isolation !== undefined ||
  where.gpu ||
  where.on.length > 0 ||
  where.notOn.length > 0 ||
  Object.keys(where.labels).length > 0
