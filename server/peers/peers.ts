import type { Handlers } from '#server/lib/call.ts'
import type { Clock } from '#server/lib/clock.ts'
import { within } from '#server/lib/within.ts'
import { ApiError, type NodeInfo } from '#shared/contract/index.ts'
import { type Card, type Config, type GossipMessage, highest, type NodeId, PROTOCOL, type Role } from '#shared/model/index.ts'
import { createVerifier, type Remote, type TrustedKey, type Verifier } from './assertion.ts'
import { createCardSeal } from './card-seal.ts'
import { createDiscovery, type Discovery } from './discovery.ts'
import { createPeersFeed, type PeersFeed } from './feed.ts'
import { createFleet } from './fleet.ts'
import { createGossip, type Look } from './gossip.ts'
import type { OwnIdentity } from './identity.ts'
import { createKeyHandlers } from './key-handlers.ts'
import { createKeyring } from './keyring.ts'
import { hasAny, type KnownPeer, type KnownPeers, ownersOfNames, rightsNow } from './known-peers.ts'
import { httpLink, type LinkDeps, peerClient } from './link.ts'
import { proveNode } from './node-proof.ts'
import type { PeerDirectory } from './peer-directory.ts'
import type { PeerTransport } from './peer-transport.ts'
import type { Fleet } from './port.ts'
import { present } from './present.ts'
import { createProtocols } from './protocols.ts'
import { type MeshRules, type Rights, roleOf } from './rights.ts'
import { createTrustHandlers } from './trust-handlers.ts'
import { createWhereabouts, machineAddresses } from './whereabouts.ts'
import { ASK_MS, infoOf, keysOf, whoIs, whoIsAt } from './who-is.ts'

export interface PeersDeps {
  readonly identity: OwnIdentity
  readonly name: string
  readonly version: string
  readonly directory: KnownPeers
  /** What this node tells of itself to those it trusts. */
  readonly card: () => Promise<Card>
  readonly clock: Clock
  /** From 0 up to 1. */
  readonly random: () => number
  /** Where this node is asked, once it listens. */
  readonly port: () => number
  /** Of this machine, as other machines see it; default: what its interfaces have. */
  readonly addresses?: () => string[]
  /** How requests go to other nodes, and how theirs come here. */
  readonly transport: PeerTransport
  /** What knows other nodes by itself. */
  readonly meshes: readonly MeshDeps[]
  /** Who may use the API from a mesh, besides whom its policy lets. */
  readonly roles: Config['api']['roles']
  readonly warn: (what: string) => void
}

interface MeshDeps {
  readonly directory: PeerDirectory
  readonly rules: MeshRules
  /** Where nodes of the mesh are asked; default: where this one is. */
  readonly port?: number | undefined
}

/** Longest wait for a node that is told where this one is: it looks whether that is so, ms. */
const TELL_MS = 4 * ASK_MS

/** Other nodes: who they are, whether they answer, what they may. */
export interface Peers {
  readonly fleet: Fleet
  readonly verifier: Verifier
  readonly handlers: Pick<
    Handlers,
    | 'listPeers'
    | 'addPeer'
    | 'removePeer'
    | 'trustPeer'
    | 'createPairingCode'
    | 'rotateKey'
    | 'nodeInfo'
    | 'nodeKeys'
    | 'learnKeys'
    | 'gossip'
    | 'pair'
    | 'tellAddress'
  >
  /** What whoever sends from there may do by the API, as meshes and settings say; null: nothing. */
  roleOf(remote: Remote): Promise<Role | null>
  /** The same nodes as they change. */
  readonly feed: PeersFeed
  start(): void
  stop(): void
}

export function createPeers(given: PeersDeps): Peers {
  const { identity, name, version, directory, card, clock, random, port, transport, meshes, roles, warn } = given
  const { nodeId } = identity
  const self = (): NodeInfo => ({ node: nodeId, name, publicKey: identity.publicKey, version, protocol: PROTOCOL })
  const whyNotTo = (host: string) => discoveries.map(({ whyNot }) => whyNot(host)).find(why => why !== null)
  const fetch = onlyWhileUp(transport.fetch, whyNotTo)
  const requestBytes = onlyWhileUp(transport.requestBytes, whyNotTo)
  const plain: LinkDeps = { identity, clock, fetch, requestBytes }
  const keyring = createKeyring({ known: directory, clock })
  const protocols = createProtocols(async address => (await infoOf(address, plain)).protocol)
  const deps: LinkDeps = { ...plain, protocolWith: protocols.with, introduce }
  const kinds = meshes.map(mesh => mesh.directory.kind)
  const listening = new Map<string, readonly string[]>()
  let isOpen = false
  const discoveries = meshes.map(discoveryOf)
  const may = (peer: KnownPeer): Rights => rightsNow(peer, kinds)
  const gossip = createGossip({
    self: { id: nodeId, publicKey: () => identity.publicKey },
    known: {
      get: id => acquaintance(directory.get(id)),
      list: () => directory.list().map(peer => acquaintance(peer)),
      onChange: directory.onChange,
    },
    ownCard: card,
    seal: createCardSeal({ identity, clock }),
    exchange,
    learnKey: async id => {
      const peer = directory.get(id)
      return peer !== null && keyring.learn(await keysOf(peer.address, plain))
    },
    clock,
    random,
  })
  const whereabouts = createWhereabouts({
    directory,
    here: () => ({ port: port(), addresses: (given.addresses ?? machineAddresses)() }),
    send: (peer, body) => within(clock, TELL_MS, null, signal => peerClient(peer, deps).tellAddress({ body }, { signal })),
    look: gossip.look,
    isAnswering: id => gossip.of(id).problem === null,
  })

  function discoveryOf({ directory: mesh, rules, port: theirs }: MeshDeps): Discovery {
    return createDiscovery({
      mesh,
      rules,
      directory,
      self: nodeId,
      clock,
      port: () => theirs ?? port(),
      // Where a mesh vouches for the address, the node there has to prove that it is its own.
      ask: ({ addresses: [host = ''] }, url) => whoIsAt(mesh.holds ? null : host, url, { ...plain, keyring }),
      keyFor: (node, shown) => {
        const peer = directory.get(node)
        return peer && keyring.keyFor(peer, shown)
      },
      isAnswering: id => gossip.of(id).problem === null,
      listen(addresses) {
        listening.set(mesh.kind, addresses)
        return transport.listen([...listening.values()].flat())
      },
      warn,
    })
  }

  function acquaintance<P extends KnownPeer | null>(peer: P) {
    return peer && { id: peer.id, publicKey: peer.publicKey, isTrusted: hasAny(may(peer)) }
  }

  /** Tells a node that our key is new. @returns whether it was news to it, and proved */
  async function introduce({ id, name, address }: Pick<KnownPeer, 'id' | 'name' | 'address'>): Promise<boolean> {
    if (identity.rotations.length === 0) return false
    const body = { node: nodeId, rotations: [...identity.rotations] }
    return peerClient({ id, name, address }, plain)
      .learnKeys({ body }, { signal: AbortSignal.timeout(ASK_MS) })
      .then(
        () => true,
        () => false,
      )
  }

  /** A node as it is asked: it may move while a link to it is in use. */
  const moving = (peer: KnownPeer) => ({
    ...peer,
    get address() {
      return (directory.get(peer.id) ?? peer).address
    },
  })

  /** Nodes that do not trust each other tell nothing but that they are there. */
  async function exchange(id: NodeId, message: GossipMessage): Promise<Look> {
    const peer = directory.get(id)
    if (!peer) throw new Error('It is not known any more.')
    if (peer.source === 'paired' || hasAny(may(peer))) {
      try {
        const look = await converse(peer, message)
        // A look may end after this node has: then there is nowhere to be asked.
        if (isOpen) void whereabouts.tell(peer)
        return look
      } catch (error) {
        // What it speaks may have changed with its version.
        protocols.forget(id)
        if (peer.source === 'paired' || !isRefusal(error)) throw error
      }
    }
    const { node } = await whoIs(peer.address, { ...plain, keyring })
    if (node !== id) throw new Error(`Another node answers there: ${node}`)
    return { kind: 'there' }
  }

  async function converse(peer: KnownPeer, message: GossipMessage): Promise<Look> {
    const client = peerClient(peer, deps)
    const soon = <T>(ask: (options: { signal: AbortSignal }) => Promise<T>) =>
      within(clock, ASK_MS, null, signal => ask({ signal }))
    if ((await protocols.with(peer)) >= 2)
      return { kind: 'gossip', answer: await soon(options => client.gossip({ body: message }, options)) }
    const told = await soon(options => client.card({}, options))
    protocols.told(peer.id, told.protocol)
    return { kind: 'card', card: told }
  }

  async function keyOf(id: NodeId, shown: string | null, remote: Remote | undefined): Promise<TrustedKey | null> {
    const known = directory.get(id)
    // A key that was paired proves all there is to prove; one the mesh vouches for must also come from its own machine.
    if (known && hasAny(known)) return { publicKey: keyring.keyFor(known, shown) }
    for (const { vouch } of discoveries) {
      const vouched = await vouch(id, shown, remote)
      if (vouched) return vouched
    }
    return null
  }

  const owners = () => ownersOfNames([{ id: nodeId, name }, ...directory.list()])
  const shown = (peer: KnownPeer, of = owners()) => present(peer, may(peer), gossip.of(peer.id), of)
  const list = () => {
    const of = owners()
    return directory.list().map(peer => shown(peer, of))
  }

  return {
    verifier: createVerifier({ self: nodeId, keyOf, clock }),
    fleet: createFleet({
      self: { id: nodeId, name },
      directory,
      gossip,
      may,
      user: () => discoveries.map(({ user }) => user()).find(user => user !== null) ?? null,
      linkTo: peer => httpLink(moving(peer), deps),
    }),
    handlers: {
      ...createTrustHandlers({
        ...{ identity, known: directory, keyring, clock, link: plain, self, port, discoveries },
        look: gossip.look,
        present: shown,
      }),
      ...createKeyHandlers({ identity, known: directory, keyring, clock, protocolWith: protocols.with, introduce }),
      async nodeInfo({ query: { nonce } }, { remoteAddress, remotePort }) {
        for (const { knock } of discoveries) knock({ address: remoteAddress, port: remotePort })
        if (nonce === undefined) return { status: 200, body: self() }
        const proof = await proveNode(identity, { nonce, addresses: discoveries.flatMap(({ addresses }) => addresses()) })
        return { status: 200, body: { ...self(), proof } }
      },
      async gossip({ body }, { peer }) {
        if (!peer) throw new ApiError('unauthorized', 'Only another node may ask this.')
        return { status: 200, body: await gossip.answer(peer, body) }
      },
      async tellAddress({ body }, { peer, remoteAddress }) {
        if (peer) await whereabouts.hear(peer, remoteAddress, body)
        return { status: 200, body: { ok: true } }
      },
      async listPeers() {
        return { status: 200, body: { items: list() } }
      },
    },
    async roleOf(remote) {
      const callers = await Promise.all(discoveries.map(({ callerAt }) => callerAt(remote)))
      return highest(callers.flatMap(caller => (caller && roleOf(caller, roles)) ?? []))
    },
    feed: createPeersFeed({ list, onChange: gossip.onChange, clock }),
    start() {
      isOpen = true
      gossip.start()
      for (const discovery of discoveries) discovery.start()
    },
    stop() {
      isOpen = false
      for (const discovery of discoveries) discovery.stop()
      gossip.stop()
    },
  }
}

const isRefusal = (error: unknown): boolean => error instanceof ApiError && error.code === 'unauthorized'

/** Addresses of a mesh belong to its members only while it is up: else what is meant for a member could reach anybody. */
function onlyWhileUp<Input extends string | URL | Request, Init, Answer>(
  ask: (input: Input, init: Init) => Promise<Answer>,
  whyNot: (host: string) => string | null | undefined,
) {
  return async (input: Input, init: Init): Promise<Answer> => {
    const { hostname } = new URL(input instanceof Request ? input.url : input)
    const why = whyNot(hostname.replace(/^\[|\]$/g, ''))
    if (why) throw new Error(why)
    return ask(input, init)
  }
}
