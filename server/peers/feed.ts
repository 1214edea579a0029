import type { Clock } from '#server/lib/clock.ts'
import { pause } from '#server/lib/pause.ts'
import type { PeersChange } from '#shared/contract/index.ts'
import type { NodeId, Peer } from '#shared/model/index.ts'

/** Changes that come faster than this are told together, ms. */
const TOGETHER_MS = 1_000
/** Most peers in one message. */
const MOST_ITEMS = 100
/** Peers that are gone and remembered, for those who were away meanwhile. */
const MOST_GONE = 1_000
/** Numbers of one start begin above those of all starts before. */
const NUMBERS_A_MS = 1_000

/** The peers of this node as they change, each time as they are then. */
export interface PeersFeed {
  /**
   * Peers that changed after a cursor, from the whole list on when it is null, too old or unknown; ends when aborted. Whoever is slow
   * misses nothing but states in between. While nobody follows nothing is done.
   */
  follow(after: number | null, signal: AbortSignal): AsyncGenerator<PeersChange, void>
}

export function createPeersFeed(deps: {
  list(): readonly Peer[]
  onChange(listener: () => void): () => void
  clock: Clock
}): PeersFeed {
  const { list, onChange, clock } = deps
  const known = new Map<NodeId, { peer: Peer; said: string; number: number }>()
  const gone = new Map<NodeId, number>()
  let number = clock.now() * NUMBERS_A_MS
  /** Cursors from here on can be gone on from. */
  let oldest = number

  function refresh(): void {
    const ids = new Set<NodeId>()
    for (const peer of list()) {
      ids.add(peer.id)
      const said = essence(peer)
      const before = known.get(peer.id)
      known.set(peer.id, { peer, said, number: before?.said === said ? before.number : ++number })
      gone.delete(peer.id)
    }
    for (const id of known.keys()) {
      if (ids.has(id)) continue
      known.delete(id)
      gone.set(id, ++number)
    }
    for (const [id, at] of gone) {
      if (gone.size <= MOST_GONE) break
      gone.delete(id)
      oldest = at
    }
  }

  /** What changed after a cursor, in pieces that can each be gone on from. */
  function* since(cursor: number, isWhole: boolean): Generator<PeersChange> {
    const changed = [...known.values()].filter(one => one.number > cursor).map(({ peer, number: at }) => ({ at, peer }))
    const removed = isWhole ? [] : [...gone].filter(([, at]) => at > cursor).map(([id, at]) => ({ at, id }))
    const all = [...changed, ...removed].toSorted((a, b) => a.at - b.at)
    for (let start = 0; start < all.length || (isWhole && start === 0); start += MOST_ITEMS) {
      const piece = all.slice(start, start + MOST_ITEMS)
      yield {
        cursor: start + MOST_ITEMS < all.length ? (piece.at(-1)?.at ?? number) : number,
        whole: isWhole && start === 0,
        items: piece.flatMap(one => ('peer' in one ? [one.peer] : [])),
        removed: piece.flatMap(one => ('id' in one ? [one.id] : [])),
      }
    }
  }

  return {
    async *follow(after, signal) {
      refresh()
      const canGoOn = after !== null && after >= oldest && after <= number
      let cursor = canGoOn ? after : 0
      let isWhole = !canGoOn
      while (!signal.aborted) {
        const changed = nextChange(onChange, signal)
        refresh()
        for (const change of since(cursor, isWhole)) {
          cursor = change.cursor
          yield change
          if (signal.aborted) return
        }
        isWhole = false
        await changed
        await pause(TOGETHER_MS, clock, signal)
      }
    },
  }
}

/** What counts as a change: not that a node was heard of again, nor what only counts up. */
function essence({ lastSeenAt: _, problem, card, ...rest }: Peer): string {
  const shown = card && { ...card, seq: 0, capacity: { ...card.capacity, storageBytes: 0 } }
  return JSON.stringify({ ...rest, problem: problem?.replaceAll(/\d+/g, ''), card: shown })
}

function nextChange(onChange: (listener: () => void) => () => void, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      unsubscribe()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const unsubscribe = onChange(done)
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })
}
