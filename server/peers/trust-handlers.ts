import { randomUUID } from 'node:crypto'
import type { Handlers } from '#server/lib/call.ts'
import type { Clock } from '#server/lib/clock.ts'
import { ApiError, type NodeInfo } from '#shared/contract/index.ts'
import type { NodeId, Peer } from '#shared/model/index.ts'
import type { Discovery } from './discovery.ts'
import type { OwnIdentity } from './identity.ts'
import type { Keyring } from './keyring.ts'
import { type KnownPeer, type KnownPeers, membershipIn, ownersOfNames } from './known-peers.ts'
import { type LinkDeps, peerClient } from './link.ts'
import { createPairingCodes, proofOf, sameProof } from './pairing.ts'
import { requireCommon } from './protocols.ts'
import { plainAddress, urlOf } from './whereabouts.ts'
import { ASK_MS, whoIs } from './who-is.ts'

export interface TrustHandlerDeps {
  readonly identity: OwnIdentity
  readonly known: KnownPeers
  readonly keyring: Keyring
  readonly clock: Clock
  readonly link: LinkDeps
  /** What this node says of itself. */
  readonly self: () => NodeInfo
  /** Where this node is asked. */
  readonly port: () => number
  readonly discoveries: readonly Discovery[]
  /** Asks a node at once. */
  readonly look: (id: NodeId) => Promise<void>
  readonly present: (peer: KnownPeer) => Peer
}

type TrustHandlers = Pick<Handlers, 'addPeer' | 'removePeer' | 'trustPeer' | 'createPairingCode' | 'pair'>

/** How trust in another node begins and ends. */
export function createTrustHandlers(deps: TrustHandlerDeps): TrustHandlers {
  const { identity, known, keyring, clock, link, self, port, discoveries, look, present } = deps
  const codes = createPairingCodes(clock)

  async function trust(
    peer: Pick<KnownPeer, 'id' | 'name' | 'publicKey' | 'address'>,
    told: Partial<Pick<KnownPeer, 'runsOurs' | 'weRunTheirs'>>,
  ): Promise<KnownPeer> {
    const before = known.get(peer.id)
    const trusted: KnownPeer = {
      ...before,
      ...peer,
      source: 'paired',
      runsOurs: told.runsOurs ?? before?.runsOurs ?? false,
      weRunTheirs: told.weRunTheirs ?? before?.weRunTheirs ?? false,
      members: (before?.members ?? []).map(member => ({ ...member, barred: null })),
      addedAt: new Date(clock.now()).toISOString(),
    }
    await known.put(trusted)
    return trusted
  }

  /** @throws {ApiError} when jobs and policies could not tell the node from another */
  function requireOwnName({ node, name }: Pick<NodeInfo, 'node' | 'name'>): void {
    const owner = ownersOfNames([{ id: identity.nodeId, name: self().name }, ...known.list()]).get(name)
    if (owner === undefined || owner === node) return
    throw new ApiError('pairing_refused', `Two nodes here would be called "${name.slice(0, 63)}".`, {
      remedy: 'Give one of them another name (node.name), and start it anew.',
    })
  }

  function requireKnown(id: NodeId): KnownPeer {
    const peer = known.get(id)
    if (peer) return peer
    throw new ApiError('peer_unknown', `This node knows no peer ${id}.`)
  }

  return {
    async createPairingCode() {
      const { code, expiresAt } = codes.create()
      return { status: 201, body: { code, expiresAt: new Date(expiresAt).toISOString() } }
    },
    async addPeer({ body }) {
      const address = new URL(body.address).origin
      const other = await whoIs(address, { ...link, keyring })
      if (other.node === identity.nodeId) throw new ApiError('pairing_refused', 'That address is this node itself.')
      requireOwnName(other)
      const nonce = randomUUID()
      const transcript = { caller: self(), callee: other, nonce }
      const protocol = requireCommon(other.protocol, other.name)
      const client = peerClient({ id: other.node, name: other.name, address }, { ...link, protocolWith: async () => protocol })
      const proof = proofOf(body.code, 'caller', transcript)
      const rotations = [...identity.rotations]
      const answer = await client.pair(
        { body: { node: transcript.caller, port: port(), nonce, proof, rotations } },
        { signal: AbortSignal.timeout(ASK_MS) },
      )
      if (!sameProof(answer.proof, proofOf(body.code, 'callee', transcript)))
        throw new ApiError('pairing_refused', 'The other side does not know the code: somebody stands between the two.')
      const peer = await trust(
        { id: other.node, name: other.name, publicKey: other.publicKey, address },
        { runsOurs: true, ...(body.weRunTheirs ? { weRunTheirs: true } : {}) },
      )
      await look(peer.id)
      return { status: 201, body: present(known.get(peer.id) ?? peer) }
    },
    async removePeer({ params }) {
      const peer = requireKnown(params.id)
      // Were it forgotten, a mesh that has it would bring it back in a moment.
      const bringing = discoveries.filter(({ mesh }) => membershipIn(peer, mesh))
      for (const { memberships } of bringing) await memberships.bar(params.id)
      if (bringing.length === 0) await known.remove(params.id)
      return { status: 200, body: { ok: true } }
    },
    async trustPeer({ params }) {
      requireKnown(params.id)
      for (const { memberships, look: lookAround } of discoveries) {
        await memberships.unbar(params.id)
        await lookAround()
      }
      await look(params.id)
      return { status: 200, body: present(requireKnown(params.id)) }
    },
    async pair({ body }, call) {
      const { node, name, publicKey } = body.node
      requireCommon(body.node.protocol, name)
      await keyring.requireOwn({ node, publicKey }, async () => ({ node, rotations: body.rotations }))
      const transcript = { caller: body.node, callee: self(), nonce: body.nonce }
      const code = codes.redeem(body.proof, transcript)
      requireOwnName(body.node)
      const host = plainAddress(call.remoteAddress)
      if (host === null) throw new ApiError('pairing_refused', 'The address of the caller is not known.')
      const address = urlOf(host, body.port)
      await trust({ id: node, name, publicKey, address }, { weRunTheirs: true })
      return { status: 200, body: { node: self(), proof: proofOf(code, 'callee', transcript) } }
    },
  }
}
