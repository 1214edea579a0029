import { randomUUID } from 'node:crypto'
import { isIP } from 'node:net'
import type { Call, Handlers } from '#server/lib/call.ts'
import type { Clock } from '#server/lib/clock.ts'
import { ApiError, type NodeInfo } from '#shared/contract/index.ts'
import { type Card, type NodeId, type Peer, PROTOCOL } from '#shared/model/index.ts'
import { createVerifier, type Verifier } from './assertion.ts'
import type { KnownPeer, PeerDirectory } from './directory.ts'
import { type Identity, isPublicKey, nodeIdOf } from './identity.ts'
import { httpLink, type LinkDeps, peerClient } from './link.ts'
import { createPairingCodes, proofOf, sameProof } from './pairing.ts'
import type { Fleet } from './port.ts'
import { createPresence, type PresenceBoard } from './presence.ts'

/** Longest wait for the answer of a node that is asked who it is, ms. */
const ASK_MS = 5_000

export interface PeersDeps extends LinkDeps {
  readonly identity: Identity
  readonly name: string
  readonly version: string
  readonly directory: PeerDirectory
  readonly clock: Clock
  /** Where this node is asked, once it listens. */
  readonly port: () => number
}

/** Other nodes: who they are, whether they answer, what they may. */
export interface Peers {
  readonly fleet: Fleet
  readonly verifier: Verifier
  readonly handlers: Pick<Handlers, 'listPeers' | 'addPeer' | 'removePeer' | 'createPairingCode' | 'nodeInfo' | 'pair'>
  start(): void
  stop(): void
}

export function createPeers(deps: PeersDeps): Peers {
  const { identity, name, version, directory, clock, port } = deps
  const self: NodeInfo = { node: identity.nodeId, name, publicKey: identity.publicKey, version, protocol: PROTOCOL }
  const codes = createPairingCodes(clock)
  const presence = createPresence({
    directory,
    clock,
    ask: peer => peerClient(peer, deps).card({}, { signal: AbortSignal.timeout(ASK_MS) }),
  })
  const links = new Map<NodeId, { peer: KnownPeer; link: ReturnType<typeof httpLink> }>()

  async function trust(
    peer: Pick<KnownPeer, 'id' | 'name' | 'publicKey' | 'address'>,
    may: Partial<Pick<KnownPeer, 'runsOurs' | 'weRunTheirs'>>,
  ): Promise<KnownPeer> {
    const before = directory.get(peer.id)
    const known: KnownPeer = {
      ...peer,
      source: 'paired',
      runsOurs: may.runsOurs ?? before?.runsOurs ?? false,
      weRunTheirs: may.weRunTheirs ?? before?.weRunTheirs ?? false,
      addedAt: new Date(clock.now()).toISOString(),
    }
    await directory.put(known)
    return known
  }

  return {
    verifier: createVerifier({ self: identity.nodeId, keyOf: id => directory.get(id)?.publicKey ?? null, clock }),
    fleet: {
      self: { id: identity.nodeId, name },
      cards: () => cardsOf(directory, presence),
      accepts: home => directory.get(home)?.weRunTheirs ?? false,
      link(node) {
        const peer = directory.get(node)
        if (!peer?.runsOurs) return null
        const made = links.get(node)
        if (made?.peer === peer) return made.link
        const link = httpLink(peer, deps)
        links.set(node, { peer, link })
        return link
      },
      onChange: presence.onChange,
    },
    handlers: {
      nodeInfo: async () => ({ status: 200, body: self }),
      async listPeers() {
        return { status: 200, body: { items: directory.list().map(peer => present(peer, presence)) } }
      },
      async createPairingCode() {
        const { code, expiresAt } = codes.create()
        return { status: 201, body: { code, expiresAt: new Date(expiresAt).toISOString() } }
      },
      async addPeer({ body }) {
        const address = new URL(body.address).origin
        const other = await whoIs(address, deps)
        if (other.node === self.node) throw new ApiError('pairing_refused', 'That address is this node itself.')
        const nonce = randomUUID()
        const transcript = { caller: self, callee: other, nonce }
        const answer = await peerClient({ id: other.node, name: other.name, address }, deps).pair(
          { body: { node: self, port: port(), nonce, proof: proofOf(body.code, 'caller', transcript) } },
          { signal: AbortSignal.timeout(ASK_MS) },
        )
        if (!sameProof(answer.proof, proofOf(body.code, 'callee', transcript)))
          throw new ApiError('pairing_refused', 'The other side does not know the code: somebody stands between the two.')
        const known = await trust(
          { id: other.node, name: other.name, publicKey: other.publicKey, address },
          { runsOurs: true, ...(body.weRunTheirs ? { weRunTheirs: true } : {}) },
        )
        await presence.look(known.id)
        return { status: 201, body: present(known, presence) }
      },
      async removePeer({ params }) {
        if (!(await directory.remove(params.id))) throw new ApiError('peer_unknown', `This node knows no peer ${params.id}.`)
        links.delete(params.id)
        return { status: 200, body: { ok: true } }
      },
      async pair({ body }, call) {
        requireOwnKey(body.node)
        const transcript = { caller: body.node, callee: self, nonce: body.nonce }
        const code = codes.redeem(body.proof, transcript)
        const address = addressOf(call, body.port)
        await trust({ id: body.node.node, name: body.node.name, publicKey: body.node.publicKey, address }, { weRunTheirs: true })
        return { status: 200, body: { node: self, proof: proofOf(code, 'callee', transcript) } }
      },
    },
    start: presence.start,
    stop: presence.stop,
  }
}

/** Asks an address which node it is. @throws {ApiError} `peer_unreachable`, `pairing_refused` */
async function whoIs(address: string, deps: LinkDeps): Promise<NodeInfo> {
  // Whoever it is, the assertion in this request is for nobody: the id is not known yet.
  const nobody = { id: deps.identity.nodeId, name: 'The node', address }
  const info = await peerClient(nobody, deps).nodeInfo({}, { signal: AbortSignal.timeout(ASK_MS) })
  requireOwnKey(info)
  if (info.protocol.max < PROTOCOL.min || info.protocol.min > PROTOCOL.max)
    throw new ApiError(
      'pairing_refused',
      `It speaks protocol ${info.protocol.min} to ${info.protocol.max}, this node ${PROTOCOL.min} to ${PROTOCOL.max}.`,
      {
        remedy: 'Update the older of the two.',
      },
    )
  return info
}

function requireOwnKey({ node, publicKey }: NodeInfo): void {
  if (!isPublicKey(publicKey) || nodeIdOf(publicKey) !== node)
    throw new ApiError('pairing_refused', `Node ${node} shows a key that is not its own.`)
}

/** Where a caller is asked in its turn: the address it calls from. */
function addressOf({ remoteAddress }: Call, port: number): string {
  // A link-local address comes with its interface (`%eth0`), which no URL can carry.
  const plain = (remoteAddress ?? '').replace(/^::ffff:/, '').replace(/%.*$/, '')
  if (isIP(plain) === 0) throw new ApiError('pairing_refused', 'The address of the caller is not known.')
  return `http://${isIP(plain) === 6 ? `[${plain}]` : plain}:${port}`
}

function cardsOf(directory: PeerDirectory, presence: PresenceBoard): Card[] {
  return directory.list().flatMap(({ id, runsOurs }) => {
    const { card, problem } = presence.of(id)
    return runsOurs && card && problem === null ? [card] : []
  })
}

function present(peer: KnownPeer, presence: PresenceBoard): Peer {
  const { id, name, address, source, runsOurs, weRunTheirs } = peer
  const { card, lastSeenAt, problem } = presence.of(id)
  return {
    id,
    name: card?.name ?? name,
    address,
    source,
    state: problem === null ? 'online' : 'offline',
    runsOurs,
    weRunTheirs,
    card,
    lastSeenAt: lastSeenAt === null ? null : new Date(lastSeenAt).toISOString(),
    problem,
  }
}
