import { randomUUID } from 'node:crypto'
import type { Handlers } from '#server/lib/call.ts'
import type { Clock } from '#server/lib/clock.ts'
import { within } from '#server/lib/within.ts'
import { ApiError, type NodeInfo } from '#shared/contract/index.ts'
import { type Card, type NodeId, type Peer, PROTOCOL } from '#shared/model/index.ts'
import { createVerifier, type Remote, type TrustedKey, type Verifier } from './assertion.ts'
import { hasAny, type KnownPeer, type PeerDirectory, rightsNow } from './directory.ts'
import { createDiscovery, type Discovery } from './discovery.ts'
import { createFleet } from './fleet.ts'
import type { Identity } from './identity.ts'
import { httpLink, type LinkDeps, peerClient } from './link.ts'
import type { Mesh } from './mesh.ts'
import { proveNode } from './node-proof.ts'
import { createPairingCodes, proofOf, sameProof } from './pairing.ts'
import type { Fleet } from './port.ts'
import { createPresence, type PresenceBoard } from './presence.ts'
import type { MeshRules, Rights } from './rights.ts'
import { createWhereabouts, machineAddresses, plainAddress, urlOf } from './whereabouts.ts'
import { ASK_MS, requireOwnKey, whoIs, whoIsAt } from './who-is.ts'

export interface PeersDeps extends LinkDeps {
  readonly identity: Identity
  readonly name: string
  readonly version: string
  readonly directory: PeerDirectory
  readonly clock: Clock
  /** Where this node is asked, once it listens. */
  readonly port: () => number
  /** Of this machine, as other machines see it; default: what its interfaces have. */
  readonly addresses?: () => string[]
  /** The network that knows its members, where there is one. */
  readonly mesh?: MeshDeps | undefined
}

interface MeshDeps {
  readonly mesh: Mesh
  readonly rules: MeshRules
  /** Where nodes of the mesh are asked; default: where this one is. */
  readonly port?: number | undefined
  /** Listens for other nodes on these addresses of this machine, and on no others any more. */
  listen(addresses: readonly string[]): Promise<void>
  warn(what: string): void
}

/** Longest wait for a node that is told where this one is: it looks whether that is so, ms. */
const TELL_MS = 4 * ASK_MS

/** Other nodes: who they are, whether they answer, what they may. */
export interface Peers {
  readonly fleet: Fleet
  readonly verifier: Verifier
  readonly handlers: Pick<
    Handlers,
    'listPeers' | 'addPeer' | 'removePeer' | 'trustPeer' | 'createPairingCode' | 'nodeInfo' | 'pair' | 'tellAddress'
  >
  start(): void
  stop(): void
}

export function createPeers(given: PeersDeps): Peers {
  const { identity, name, version, directory, clock, port } = given
  const self: NodeInfo = { node: identity.nodeId, name, publicKey: identity.publicKey, version, protocol: PROTOCOL }
  const deps: LinkDeps = { identity, clock, fetch: onlyWhileUp(given.fetch ?? globalThis.fetch, host => discovery?.whyNot(host)) }
  const codes = createPairingCodes(clock)
  const presence = createPresence({ directory, clock, ask: lookAt })
  const whereabouts = createWhereabouts({
    directory,
    here: () => ({ port: port(), addresses: (given.addresses ?? machineAddresses)() }),
    send: (peer, body) => within(clock, TELL_MS, null, signal => peerClient(peer, deps).tellAddress({ body }, { signal })),
    look: id => presence.look(id),
    isAnswering: id => presence.of(id).problem === null,
  })
  const discovery = given.mesh && startable(given.mesh)
  const may = (peer: KnownPeer): Rights => rightsNow(peer, given.mesh?.mesh.kind ?? null)

  function startable({ mesh, rules, listen, warn, port: theirs }: MeshDeps): Discovery {
    return createDiscovery({
      mesh,
      rules,
      directory,
      self: self.node,
      clock,
      port: () => theirs ?? port(),
      ask: ({ addresses: [host = ''] }, url) => whoIsAt(host, url, deps),
      isAnswering: id => presence.of(id).problem === null,
      listen,
      warn,
    })
  }

  async function lookAt(peer: KnownPeer): Promise<Card | null> {
    const card = await cardOf(peer)
    void whereabouts.tell(peer)
    return card
  }

  /** A node as it is asked: it may move while a link to it is in use. */
  const moving = (peer: KnownPeer) => ({
    ...peer,
    get address() {
      return (directory.get(peer.id) ?? peer).address
    },
  })

  /** Nodes that do not trust each other tell nothing but that they are there. */
  async function cardOf(peer: KnownPeer): Promise<Card | null> {
    const ask = () => within(clock, ASK_MS, null, signal => peerClient(peer, deps).card({}, { signal }))
    if (peer.source === 'paired') return ask()
    const card = hasAny(may(peer)) ? await ask().catch(error => (isRefusal(error) ? null : Promise.reject(error))) : null
    if (card) return card
    const { node } = await whoIs(peer.address, deps)
    if (node !== peer.id) throw new Error(`Another node answers there: ${node}`)
    return null
  }

  async function keyOf(id: NodeId, shown: string | null, remote: Remote | undefined): Promise<TrustedKey | null> {
    const known = directory.get(id)
    // A key that was paired proves all there is to prove; one the mesh vouches for must also come from its own machine.
    if (known && hasAny(known)) return known
    return (await discovery?.vouch(id, shown, remote)) ?? null
  }

  async function trust(
    peer: Pick<KnownPeer, 'id' | 'name' | 'publicKey' | 'address'>,
    told: Partial<Pick<KnownPeer, 'runsOurs' | 'weRunTheirs'>>,
  ): Promise<KnownPeer> {
    const before = directory.get(peer.id)
    const known: KnownPeer = {
      ...before,
      ...peer,
      source: 'paired',
      runsOurs: told.runsOurs ?? before?.runsOurs ?? false,
      weRunTheirs: told.weRunTheirs ?? before?.weRunTheirs ?? false,
      ...(before?.member && { member: { ...before.member, barred: null } }),
      addedAt: new Date(clock.now()).toISOString(),
    }
    await directory.put(known)
    return known
  }

  function requireKnown(id: NodeId): KnownPeer {
    const peer = directory.get(id)
    if (peer) return peer
    throw new ApiError('peer_unknown', `This node knows no peer ${id}.`)
  }

  return {
    verifier: createVerifier({ self: identity.nodeId, keyOf, clock }),
    fleet: createFleet({
      self: { id: identity.nodeId, name },
      directory,
      presence,
      may,
      linkTo: peer => httpLink(moving(peer), deps),
    }),
    handlers: {
      async nodeInfo({ query: { nonce } }, { remoteAddress, remotePort }) {
        discovery?.knock({ address: remoteAddress, port: remotePort })
        if (nonce === undefined) return { status: 200, body: self }
        const proof = await proveNode(identity, { nonce, addresses: discovery?.addresses() ?? [] })
        return { status: 200, body: { ...self, proof } }
      },
      async listPeers() {
        return { status: 200, body: { items: directory.list().map(peer => present(peer, may(peer), presence)) } }
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
        return { status: 201, body: present(known, may(known), presence) }
      },
      async removePeer({ params }) {
        const { member } = requireKnown(params.id)
        // Were it forgotten, the mesh would bring it back in a moment.
        if (discovery && member?.mesh === given.mesh?.mesh.kind) await discovery.memberships.bar(params.id)
        else await directory.remove(params.id)
        return { status: 200, body: { ok: true } }
      },
      async trustPeer({ params }) {
        requireKnown(params.id)
        await discovery?.memberships.unbar(params.id)
        await discovery?.look()
        await presence.look(params.id)
        const peer = requireKnown(params.id)
        return { status: 200, body: present(peer, may(peer), presence) }
      },
      async pair({ body }, call) {
        requireOwnKey(body.node)
        const transcript = { caller: body.node, callee: self, nonce: body.nonce }
        const code = codes.redeem(body.proof, transcript)
        const host = plainAddress(call.remoteAddress)
        if (host === null) throw new ApiError('pairing_refused', 'The address of the caller is not known.')
        const address = urlOf(host, body.port)
        await trust({ id: body.node.node, name: body.node.name, publicKey: body.node.publicKey, address }, { weRunTheirs: true })
        return { status: 200, body: { node: self, proof: proofOf(code, 'callee', transcript) } }
      },
      async tellAddress({ body }, { peer, remoteAddress }) {
        if (peer) await whereabouts.hear(peer, remoteAddress, body)
        return { status: 200, body: { ok: true } }
      },
    },
    start() {
      presence.start()
      discovery?.start()
    },
    stop() {
      discovery?.stop()
      presence.stop()
    },
  }
}

const isRefusal = (error: unknown): boolean => error instanceof ApiError && error.code === 'unauthorized'

/** Addresses of a mesh belong to its members only while it is up: else what is meant for a member could reach anybody. */
function onlyWhileUp(fetch: typeof globalThis.fetch, whyNot: (host: string) => string | null | undefined): typeof fetch {
  return async (input, init) => {
    const { hostname } = new URL(input instanceof Request ? input.url : input)
    const why = whyNot(hostname.replace(/^\[|\]$/g, ''))
    if (why) throw new Error(why)
    return fetch(input, init)
  }
}

const BARRED = {
  key_changed: 'Its machine had another key before. If that is right: `skein peers trust`.',
  removed: 'The trust in it was ended here. To take it back: `skein peers trust`.',
} as const

function present(peer: KnownPeer, { runsOurs, weRunTheirs }: Rights, presence: PresenceBoard): Peer {
  const { id, name, address, source, member } = peer
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
    problem: member?.barred ? BARRED[member.barred] : problem,
  }
}
