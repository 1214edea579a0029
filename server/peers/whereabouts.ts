import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { ApiError } from '#shared/contract/index.ts'
import type { NodeId } from '#shared/model/index.ts'
import type { KnownPeer, KnownPeers } from './known-peers.ts'

/** Of all the addresses of a machine that are told. */
const MOST_ADDRESSES = 64
/** A link-local address comes with its interface (`%eth0`), which no URL can carry. */
const ZONE = /%.*$/
const LOOPBACK = /^(127\.|::1$)/

/** Where a node says it is. */
export interface Place {
  readonly port: number
  /** Of its machine, loopback ones left out. */
  readonly addresses: string[]
}

/**
 * Keeps paired nodes findable where no mesh does: a node whose addresses changed, or that was started anew, tells those it knows.
 * It is believed only from an address that it signed as its own, and only by who cannot reach it any more at the one that is known:
 * an owner's word (a name, a forwarded port) is not overruled while it holds.
 */
export interface Whereabouts {
  /** Tells a node that has just answered, unless it was told the same before. */
  tell(peer: KnownPeer): Promise<void>
  /** A node, known by its signature, told where it is. @param from address the connection came from */
  hear(id: NodeId, from: string | undefined, told: Place): Promise<void>
}

export function createWhereabouts(deps: {
  readonly directory: Pick<KnownPeers, 'get' | 'put'>
  readonly here: () => Place
  /** @throws {ApiError} `not_found` from a node that does not know the question */
  readonly send: (peer: KnownPeer, place: Place) => Promise<unknown>
  /** Asks a node whether it is where it is known to be. */
  readonly look: (id: NodeId) => Promise<void>
  readonly isAnswering: (id: NodeId) => boolean
}): Whereabouts {
  const { directory, here, send, look, isAnswering } = deps
  /** What each node was told last. */
  const told = new Map<NodeId, string>()

  async function isThere(id: NodeId): Promise<boolean> {
    // The first may have begun before it moved.
    await look(id)
    await look(id)
    return isAnswering(id)
  }

  return {
    async tell(peer) {
      const place = here()
      const news = JSON.stringify([place, peer.address])
      if (peer.source !== 'paired' || told.get(peer.id) === news) return
      told.set(peer.id, news)
      await send(peer, place).catch(error => {
        if (!(error instanceof ApiError && error.code === 'not_found')) told.delete(peer.id)
      })
    },
    async hear(id, from, { port, addresses }) {
      const host = plainAddress(from)
      // What comes from loopback was handed on by something of this machine, which is not where the node is.
      if (host === null || LOOPBACK.test(host) || !addresses.includes(host)) return
      const address = urlOf(host, port)
      const isNews = () => directory.get(id)?.source === 'paired' && directory.get(id)?.address !== address
      if (!isNews() || (await isThere(id))) return
      const peer = directory.get(id)
      if (!peer || !isNews()) return
      await directory.put({ ...peer, address })
      await look(id)
    },
  }
}

/** Addresses at which other machines may reach this one. */
export const machineAddresses = (): string[] =>
  Object.values(networkInterfaces())
    .flatMap(all => all ?? [])
    .flatMap(({ address, internal }) => (internal ? [] : [address.replace(ZONE, '')]))
    .toSorted()
    .slice(0, MOST_ADDRESSES)

/** The other end of a connection as an address alone; null when it is none. */
export function plainAddress(text: string | undefined): string | null {
  const plain = (text ?? '').replace(/^::ffff:/, '').replace(ZONE, '')
  return isIP(plain) === 0 ? null : plain
}

export const urlOf = (host: string, port: number): string => `http://${isIP(host) === 6 ? `[${host}]` : host}:${port}`
