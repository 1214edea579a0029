import type { Clock } from '#server/lib/clock.ts'
import type { NodeInfo } from '#shared/contract/index.ts'
import type { NodeId } from '#shared/model/index.ts'
import type { KnownPeer, KnownPeers, Membership } from './known-peers.ts'
import type { MeshCaller } from './mesh.ts'
import type { Rights } from './rights.ts'

/** Which node is which machine of a mesh. The first key a machine shows is its node's until the owner says otherwise. */
export interface Memberships {
  /** The node on that machine. */
  of(memberId: string): KnownPeer | null
  /** All nodes on machines of the mesh. */
  list(): readonly (KnownPeer & { readonly member: Membership })[]
  /**
   * A machine has proved that it holds a node's key.
   * @returns null when that node is on another machine: two cannot be one node.
   */
  meet(
    caller: MeshCaller,
    node: Pick<NodeInfo, 'node' | 'publicKey' | 'name'>,
    at: string,
    may: Rights,
  ): Promise<KnownPeer | null>
  /** What the mesh says of a machine now. */
  update(caller: MeshCaller, may: Rights, at: string): Promise<void>
  /** Machines that are not of the mesh any more: what it said of them counts no longer. */
  keepOnly(memberIds: ReadonlySet<string>): Promise<void>
  /** The owner ends all trust in a node. */
  bar(id: NodeId): Promise<void>
  /** The owner lets what the mesh says of a node count again. */
  unbar(id: NodeId): Promise<void>
}

export function createMemberships(deps: { directory: KnownPeers; mesh: string; clock: Pick<Clock, 'now'> }): Memberships {
  const { directory, mesh, clock } = deps

  const list = () => directory.list().flatMap(peer => (peer.member?.mesh === mesh ? [{ ...peer, member: peer.member }] : []))
  const of = (memberId: string) => list().find(({ member }) => member.id === memberId) ?? null

  /** A node that was paired stays so; one that was known by the mesh only is forgotten. */
  async function release({ member: _, ...peer }: KnownPeer): Promise<void> {
    if (peer.source === 'paired') await directory.put(peer)
    else await directory.remove(peer.id)
  }

  async function put(peer: KnownPeer): Promise<KnownPeer> {
    const before = directory.get(peer.id)
    if (JSON.stringify(before) !== JSON.stringify(peer)) await directory.put(peer)
    return peer
  }

  /** Only the mesh's part changes; a node that is known by the mesh only is asked where the mesh has it. */
  function withMember(peer: KnownPeer, change: Partial<Membership>, at?: string): KnownPeer {
    if (!peer.member) return peer
    const address = at !== undefined && peer.source === 'tailnet' ? at : peer.address
    return { ...peer, address, member: { ...peer.member, ...change } }
  }

  return {
    of,
    list,
    async meet(caller, { node, publicKey, name }, at, { runsOurs, weRunTheirs }) {
      const bound = of(caller.id)
      const known = directory.get(node)
      if (known?.member && known.member.id !== caller.id) return null
      const isChanged = bound !== null && bound.id !== node
      if (isChanged) await release(bound)
      const barred = isChanged ? 'key_changed' : (known?.member?.barred ?? null)
      const member = { mesh, id: caller.id, runsOurs, weRunTheirs, user: caller.user, tags: [...caller.tags], barred }
      if (known) return put(withMember({ ...known, member }, {}, at))
      const addedAt = new Date(clock.now()).toISOString()
      const peer = { id: node, name, publicKey, address: at, source: 'tailnet' as const, runsOurs: false, weRunTheirs: false }
      return put({ ...peer, addedAt, member })
    },
    async update({ id, user, tags }, { runsOurs, weRunTheirs }, at) {
      const bound = of(id)
      if (bound) await put(withMember(bound, { runsOurs, weRunTheirs, user, tags: [...tags] }, at))
    },
    async keepOnly(memberIds) {
      for (const peer of list()) if (!memberIds.has(peer.member.id)) await release(peer)
    },
    async bar(id) {
      const peer = directory.get(id)
      if (peer) await put({ ...withMember(peer, { barred: 'removed' }), source: 'tailnet', runsOurs: false, weRunTheirs: false })
    },
    async unbar(id) {
      const peer = directory.get(id)
      if (peer) await put(withMember(peer, { barred: null }))
    },
  }
}
