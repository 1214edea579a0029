import type { Clock } from '#server/lib/clock.ts'
import { ApiError } from '#shared/contract/index.ts'
import type { SpecOffer } from '#shared/model/index.ts'

/** How long an offer waits for somebody, and its outcome for whoever made it, ms. */
const KEPT_MS = 3_600_000
const MOST_OPEN = 100
/** Ids of one start begin above those of all starts before. */
const IDS_A_MS = 1_000

type Outcome = 'open' | 'applied' | 'refused'
export interface OfferState {
  readonly offer: SpecOffer
  readonly outcome: Outcome
  readonly detail: string | null
}

/** Changes that wait for somebody at an editor. In memory: who proposed one asks what became of it, and proposes it again. */
export interface Offers {
  /** Whether somebody has the repository open. */
  isAttended(repository: string): boolean
  /** The same change again is the same offer, while it is open. @throws {ApiError} too_many_requests */
  offer(change: Omit<SpecOffer, 'id'>): SpecOffer
  get(id: number): OfferState
  answer(id: number, outcome: 'applied' | 'refused', detail: string | null): void
  /** Open offers of a repository after a cursor, and what comes; ends when aborted. While it runs, the repository is attended. */
  follow(path: string, after: number, signal: AbortSignal): AsyncGenerator<SpecOffer, void>
}

/** @param deps.rootOf the one name of a work tree that may have several */
export function createOffers(deps: { clock: Clock; rootOf(path: string): Promise<string | null> }): Offers {
  const { clock, rootOf } = deps
  const states = new Map<number, OfferState & { readonly since: number }>()
  const followers = new Map<string, Set<() => void>>()
  let lastId = clock.now() * IDS_A_MS

  const forget = (): void => {
    for (const [id, { since }] of states) if (clock.now() - since > KEPT_MS) states.delete(id)
  }
  const find = (id: number) => {
    forget()
    const state = states.get(id)
    if (!state) throw new ApiError('not_found', `There is no offer ${id}; offers are kept for an hour and not over a restart.`)
    return state
  }
  const open = (): SpecOffer[] => {
    forget()
    return [...states.values()].filter(({ outcome }) => outcome === 'open').map(({ offer }) => offer)
  }

  return {
    isAttended: repository => (followers.get(repository)?.size ?? 0) > 0,
    offer(change) {
      const waiting = open()
      const said = (one: Omit<SpecOffer, 'id'>) => JSON.stringify([one.repository, one.feature, one.documents])
      const same = waiting.find(offer => said(offer) === said(change))
      if (same) return same
      if (waiting.length >= MOST_OPEN)
        throw new ApiError('too_many_requests', `${MOST_OPEN} changes wait for an answer already.`, { retryAfterMs: 60_000 })
      const offer = { ...change, id: ++lastId }
      states.set(offer.id, { offer, outcome: 'open', detail: null, since: clock.now() })
      for (const wake of followers.get(change.repository) ?? []) wake()
      return offer
    },
    get: id => {
      const { offer, outcome, detail } = find(id)
      return { offer, outcome, detail }
    },
    answer(id, outcome, detail) {
      const state = find(id)
      if (state.outcome !== 'open') throw new ApiError('already_answered', `Offer ${id} was ${state.outcome} already.`)
      states.set(id, { ...state, outcome, detail })
    },
    async *follow(path, after, signal) {
      const repository = (await rootOf(path)) ?? path
      let wake = () => {}
      const call = () => wake()
      const group = followers.get(repository) ?? new Set()
      followers.set(repository, group.add(call))
      signal.addEventListener('abort', call)
      try {
        for (let cursor = after; !signal.aborted; ) {
          const next = open().find(offer => offer.id > cursor && offer.repository === repository)
          if (next) {
            cursor = next.id
            yield next
            continue
          }
          await new Promise<void>(resolve => {
            wake = resolve
          })
        }
      } finally {
        signal.removeEventListener('abort', call)
        group.delete(call)
        if (group.size === 0) followers.delete(repository)
      }
    },
  }
}
