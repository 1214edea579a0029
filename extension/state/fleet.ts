import type { StreamItem } from '#shared/contract/index.ts'
import type { DrainStatus, Health, Peer } from '#shared/model/index.ts'
import type { Changes } from './changes.ts'

/** Id of this node's own row among the peers'. */
export const SELF = 'self'

/** This node, as far as it told of itself. */
export interface Self {
  readonly node: string
  readonly version: string
  readonly url: string
  readonly health: Health | null
  readonly drain: DrainStatus | null
  readonly models: readonly string[]
}

/** What the editor knows of the nodes. */
export interface Fleet {
  /** By name, those that are here first. */
  peers(): readonly Peer[]
  peer(id: string): Peer | undefined
  readonly self: Self | null
  take(item: Extract<StreamItem, { type: 'peers' }>): void
  learnSelf(self: Self | null): void
}

export function createFleet(changes: Changes): Fleet {
  const peers = new Map<string, Peer>()
  let sorted: readonly Peer[] = []
  let self: Self | null = null

  return {
    peers: () => sorted,
    peer: id => peers.get(id),
    get self() {
      return self
    },
    take({ whole, items, removed }) {
      const order = sorted.map(({ id }) => id).join()
      if (whole) peers.clear()
      for (const id of removed) peers.delete(id)
      for (const peer of items) {
        peers.set(peer.id, peer)
        changes.mark(peer.id)
      }
      sorted = [...peers.values()].sort(hereFirst)
      if (sorted.map(({ id }) => id).join() !== order) changes.mark(null)
    },
    learnSelf(next) {
      const isNew = self === null || next === null
      self = next
      changes.mark(isNew ? null : SELF)
    },
  }
}

function hereFirst(a: Peer, b: Peer): number {
  if (a.state !== b.state) return a.state === 'online' ? -1 : 1
  return a.name === b.name ? (a.id < b.id ? -1 : 1) : a.name < b.name ? -1 : 1
}
