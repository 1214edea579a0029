import type { Fleet } from '#server/peers/index.ts'
import type { Reservations } from '#server/placement/index.ts'
import type { JobRow } from '#server/store/index.ts'
import type { JobSpec, NodeId, PlacementRecord } from '#shared/model/index.ts'
import { WorkFailure } from './failures.ts'
import type { Negotiation } from './negotiation.ts'
import type { JobDeps } from './ports.ts'

/** How long a job that nobody takes waits before it is announced again, ms; sooner when room appears. */
const AGAIN_MS = 5_000

/** Where an attempt runs: here, under a place of this node's, or there, under a bid. */
export type Placed =
  | { readonly kind: 'here'; readonly placeId: string; readonly record: PlacementRecord | null }
  | {
      readonly kind: 'there'
      readonly node: NodeId
      readonly bidId: string
      readonly ttlMs: number
      readonly haves: readonly string[]
      readonly record: PlacementRecord
    }

/** Finds a node for a job, however long it takes. @throws {WorkFailure} `queue_timeout`; the signal's reason when it aborts */
export interface Placing {
  place(job: JobRow, signal: AbortSignal): Promise<Placed>
  /** Keeps how an attempt came to its node, or why it waits, for whoever asks. */
  remember(job: JobRow, record: PlacementRecord): Promise<void>
}

export function createPlacing(
  { clock, settings, newToken, store }: Pick<JobDeps, 'clock' | 'settings' | 'newToken' | 'store'>,
  {
    fleet,
    reservations,
    negotiation,
    isDraining,
  }: { fleet: Fleet; reservations: Reservations; negotiation: Negotiation; isDraining(): boolean },
): Placing {
  /** With nobody else to ask there is nothing to negotiate. */
  function placeAlone({ spec }: JobRow): Placed | null {
    if (fleet.cards().length > 0 || isPicky(spec) || isDraining()) return null
    const placeId = newToken()
    if (!reservations.reserve(placeId, settings.bidMs) || !reservations.take(placeId)) return null
    return { kind: 'here', placeId, record: null }
  }

  async function placeAmong(job: JobRow, signal: AbortSignal): Promise<Placed | null> {
    const { winner, record } = await negotiation.negotiate(job, signal)
    if (!winner) {
      await remember(job, record)
      return null
    }
    if (winner.node !== fleet.self.id)
      return { kind: 'there', node: winner.node, bidId: winner.bidId, ttlMs: winner.ttlMs, haves: winner.terms.haves, record }
    return reservations.take(winner.bidId) ? { kind: 'here', placeId: winner.bidId, record } : null
  }

  async function remember(job: JobRow, placement: PlacementRecord): Promise<void> {
    const guard = { state: job.state, epoch: job.epoch }
    await store.change({ id: job.id, guard, patch: {}, events: [], at: clock.now(), placement }, { durable: false })
  }

  function change(signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const done = () => {
        cancel()
        offFree()
        offFleet()
        signal.removeEventListener('abort', done)
        resolve()
      }
      const cancel = clock.after(AGAIN_MS, done)
      const offFree = reservations.onFree(done)
      const offFleet = fleet.onChange(done)
      signal.addEventListener('abort', done, { once: true })
    })
  }

  return {
    remember,
    async place(job, signal) {
      for (;;) {
        signal.throwIfAborted()
        const placed = placeAlone(job) ?? (await placeAmong(job, signal))
        if (placed) return placed
        if (clock.now() >= job.queueDeadline)
          throw new WorkFailure(
            'queue_timeout',
            'No node took the job within timeouts.queueMs.',
            '`skein jobs show ID --why` tells who was asked and what each answered.',
          )
        await change(signal)
      }
    },
  }
}

const isPicky = ({ where }: JobSpec): boolean =>
  where.gpu || where.on.length > 0 || where.notOn.length > 0 || Object.keys(where.labels).length > 0
