import type { Config, NodeId } from '#shared/model/index.ts'
import type { MeshCaller, MeshMember, PeerDirectory } from '../peer-directory.ts'
import { PEER_CAPABILITY } from '../rights.ts'

/**
 * Nodes that the settings name, each by its id: whoever holds the key the id is made of, or one that followed it, is that node, wherever
 * it asks from. For networks that know nobody, and for fleets whose settings are written by a program.
 * @param self this node, which may be in the list that all are given
 */
export function staticList({ peers, self }: { peers: Config['fleet']['peers']; self: NodeId }): PeerDirectory {
  const listed = () => peers.filter(({ id }) => id !== self)
  const member = ({ id, address }: (typeof peers)[number]): MeshMember => {
    const { hostname, origin } = new URL(address)
    const host = hostname.replace(/^\[|\]$/g, '')
    return { id, name: host, addresses: [host], url: origin, user: null, tags: [], isOnline: true }
  }
  const caller = (peer: (typeof peers)[number]): MeshCaller => ({
    ...member(peer),
    grants: { [PEER_CAPABILITY]: [{ runsOurs: peer.offer, weRunTheirs: peer.accept }] },
  })

  return {
    kind: 'static',
    source: 'listed',
    isFixed: true,
    async view() {
      const here: MeshMember = { id: self, name: 'this node', addresses: [], user: null, tags: [], isOnline: true }
      return { state: 'running', self: here, hasInterface: true, members: listed().map(member) }
    },
    // Its addresses belong to the network they are of; a key says who is there.
    mayOwn: () => false,
    async whois(address) {
      const found = listed().find(peer => member(peer).addresses.includes(address.replace(/^::ffff:/, '')))
      return found ? caller(found) : null
    },
    holds(node) {
      const found = listed().find(({ id }) => id === node)
      return found ? caller(found) : null
    },
    watch() {},
  }
}
