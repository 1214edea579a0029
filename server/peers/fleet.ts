import type { Card, NodeId } from '#shared/model/index.ts'
import type { Gossip } from './gossip.ts'
import { calledHere, type KnownPeer, type KnownPeers, ownersOfNames } from './known-peers.ts'
import type { Fleet, PeerLink } from './port.ts'
import type { Rights } from './rights.ts'

/** The nodes that jobs may go to and come from: those known, as far as they are trusted and answer. */
export function createFleet(deps: {
  self: Fleet['self']
  directory: Pick<KnownPeers, 'get' | 'list'>
  gossip: Pick<Gossip, 'of' | 'onChange'>
  may(peer: KnownPeer): Rights
  /** Whose machine this node is, by the mesh; null where nothing says. */
  user(): string | null
  linkTo(peer: KnownPeer): PeerLink
}): Fleet {
  const { self, directory, gossip, may, user, linkTo } = deps
  const links = new Map<NodeId, { peer: KnownPeer; link: PeerLink }>()

  function cardNow(peer: KnownPeer, owners: ReadonlyMap<string, NodeId>): Card[] {
    const { card, problem } = gossip.of(peer.id)
    if (!card || problem !== null) return []
    const name = calledHere(peer, card.name, owners)
    return [name === card.name ? card : { ...card, name }]
  }

  return {
    self,
    cards() {
      const known = directory.list()
      const owners = ownersOfNames([self, ...known])
      return known.flatMap(peer => (may(peer).runsOurs ? cardNow(peer, owners) : []))
    },
    unheard() {
      const isUnheard = (id: NodeId) => {
        const { card, problem } = gossip.of(id)
        return card === null && problem === null
      }
      return directory.list().flatMap(peer => (may(peer).runsOurs && isUnheard(peer.id) ? peer.name : []))
    },
    accepts(home) {
      const peer = directory.get(home)
      return peer !== null && may(peer).weRunTheirs
    },
    who(id) {
      const peer = directory.get(id)
      const members = peer?.members ?? []
      const user = members.find(member => member.user !== null)?.user ?? null
      return { id, name: peer?.name ?? id, user, tags: members.flatMap(({ tags }) => tags) }
    },
    trust(node) {
      const peer = directory.get(node)
      if (peer?.source === 'paired') return 'paired'
      const own = user()
      return own !== null && peer?.members.some(member => member.user === own) ? 'own' : 'granted'
    },
    link(node) {
      const peer = directory.get(node)
      if (!peer || !may(peer).runsOurs) {
        links.delete(node)
        return null
      }
      const made = links.get(node)
      if (made?.peer === peer) return made.link
      const link = linkTo(peer)
      links.set(node, { peer, link })
      return link
    },
    onChange: gossip.onChange,
  }
}
