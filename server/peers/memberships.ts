import type { Clock } from '#server/lib/clock.ts'
import type { NodeInfo } from '#shared/contract/index.ts'
import type { NodeId } from '#shared/model/index.ts'
import { type KnownPeer, type KnownPeers, type Membership, membershipIn } from './known-peers.ts'
import type { MeshCaller, PeerDirectory } from './peer-directory.ts'
import { NO_RIGHTS, type Rights } from './rights.ts'

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

export function createMemberships(deps: {
  directory: KnownPeers
  mesh: Pick<PeerDirectory, 'kind' | 'source'>
  clock: Pick<Clock, 'now'>
}): Memberships {
  const { directory, clock } = deps
  const { kind: mesh, source } = deps.mesh

  const list = () =>
    directory.list().flatMap(peer => {
      const member = membershipIn(peer, mesh)
      return member ? [{ ...peer, member }] : []
    })
  const of = (memberId: string) => list().find(({ member }) => member.id === memberId) ?? null

  /** A node that was paired stays so; one that was known by this mesh is forgotten, and found again by another that has it. */
  async function release({ member: _, ...peer }: Bound): Promise<void> {
    const members = peer.members.filter(member => member.mesh !== mesh)
    if (peer.source === source) await directory.remove(peer.id)
    else await directory.put({ ...peer, members })
  }

  async function put(peer: KnownPeer): Promise<KnownPeer> {
    const before = directory.get(peer.id)
    if (JSON.stringify(before) !== JSON.stringify(peer)) await directory.put(peer)
    return peer
  }

  /** Only this mesh's part changes; a node that is known by it first is asked where it says. */
  function withMember(peer: KnownPeer, member: Membership, at?: string): KnownPeer {
    const address = at !== undefined && peer.source === source ? at : peer.address
    const isNew = membershipIn(peer, mesh) === undefined
    const members = isNew ? [...peer.members, member] : peer.members.map(one => (one.mesh === mesh ? member : one))
    return { ...peer, address, members }
  }

  async function change(id: NodeId, changed: Partial<Membership>, more: Partial<KnownPeer> = {}): Promise<void> {
    const peer = directory.get(id)
    const member = membershipIn(peer, mesh)
    if (peer && member) await put({ ...withMember(peer, { ...member, ...changed }), ...more })
  }

  return {
    of,
    list,
    async meet(caller, { node, publicKey, name }, at, { runsOurs, weRunTheirs }) {
      const bound = of(caller.id)
      const known = directory.get(node)
      const before = membershipIn(known, mesh)
      if (before && before.id !== caller.id) return null
      const isChanged = bound !== null && bound.id !== node
      if (isChanged) await release(bound)
      const barred = isChanged ? 'key_changed' : (before?.barred ?? null)
      const member = { mesh, id: caller.id, runsOurs, weRunTheirs, user: caller.user, tags: [...caller.tags], barred }
      if (known) return put(withMember(known, member, at))
      const addedAt = new Date(clock.now()).toISOString()
      return put({ ...{ id: node, name, publicKey, address: at, source, addedAt }, ...NO_RIGHTS, members: [member] })
    },
    async update({ id, user, tags }, { runsOurs, weRunTheirs }, at) {
      const bound = of(id)
      if (!bound) return
      const { member, ...peer } = bound
      await put(withMember(peer, { ...member, runsOurs, weRunTheirs, user, tags: [...tags] }, at))
    },
    async keepOnly(memberIds) {
      for (const peer of list()) if (!memberIds.has(peer.member.id)) await release(peer)
    },
    bar: id => change(id, { barred: 'removed' }, { source, ...NO_RIGHTS }),
    unbar: id => change(id, { barred: null }),
  }
}

type Bound = KnownPeer & { readonly member: Membership }
