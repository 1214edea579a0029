import type { Clock } from '#server/lib/clock.ts'
import { messageOf } from '#server/lib/message-of.ts'
import type { NodeInfo } from '#shared/contract/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import type { NodeId } from '#shared/model/index.ts'
import type { Remote, TrustedKey } from './assertion.ts'
import { nodeIdOf } from './identity.ts'
import { hasAny, type KnownPeers, membershipIn } from './known-peers.ts'
import { createMemberships, type Memberships } from './memberships.ts'
import type { MeshCaller, MeshMember, MeshOutage, MeshView, PeerDirectory } from './peer-directory.ts'
import { createProbing } from './probing.ts'
import { createRepeat } from './repeat.ts'
import { type MeshRules, rightsOf } from './rights.ts'

/** Longest wait for the mesh, ms: its daemon is on this machine. */
const MESH_MS = 5_000
/** Between two looks at the mesh when it tells of no change by itself, ms. */
const LOOK_MS = 60_000
/** Changes that come faster than this are looked at together, ms. */
const TOGETHER_MS = 1_000

export interface DiscoveryDeps {
  readonly mesh: PeerDirectory
  readonly directory: KnownPeers
  readonly rules: MeshRules
  readonly self: NodeId
  readonly clock: Clock
  /** Where nodes of the mesh are asked. */
  readonly port: () => number
  /** Asks an address which node is there. @throws {Error} when there is none, or it does not prove its key and that it has that address */
  readonly ask: (member: MeshMember, url: string) => Promise<NodeInfo>
  /** The key to hold a request of a known node against that says which it is signed with; null of one that is not known. */
  readonly keyFor: (node: NodeId, shown: string | null) => string | null
  /** Whether a node answered when it was asked last. */
  readonly isAnswering: (id: NodeId) => boolean
  /** Listens for other nodes on these addresses, and on no others any more. */
  readonly listen: (addresses: readonly string[]) => Promise<void>
  readonly warn: (what: string) => void
}

/** Finds the nodes of a mesh, and says by the mesh who asks. */
export interface Discovery {
  /** The kind of the mesh. */
  readonly mesh: string
  readonly memberships: Memberships
  /** Whose machine this is on the mesh; null while it does not say. */
  user(): string | null
  /** Addresses of this node on the mesh. */
  addresses(): readonly string[]
  /** Why an address of the mesh must not be used now; null when it may, or is none of the mesh. */
  whyNot(address: string): string | null
  /** A caller that may be a node which is not known yet. */
  knock(remote: Remote): void
  /** Who sends from there, where the mesh vouches for addresses; null when it is nobody of it. */
  callerAt(remote: Remote): Promise<MeshCaller | null>
  /** The key of a node that the mesh vouches for. */
  vouch(node: NodeId, shown: string | null, remote: Remote | undefined): Promise<TrustedKey | null>
  /** Looks at once. */
  look(): Promise<void>
  start(): void
  stop(): void
}

export function createDiscovery(deps: DiscoveryDeps): Discovery {
  const { mesh, directory, rules, self, clock, port, ask, keyFor, isAnswering, listen, warn } = deps
  const memberships = createMemberships({ directory, mesh, clock })
  const probing = createProbing({
    clock,
    isDone: member => {
      const node = memberships.of(member.id)
      return node !== null && isAnswering(node.id)
    },
    probe,
  })
  let view: MeshView | MeshOutage | null = null
  /** Of listening; told once. */
  let lastFailure: string | null = null
  const over = new AbortController()
  const looking = createRepeat({
    clock,
    apartMs: TOGETHER_MS,
    // What is not on this machine does not come by itself.
    everyMs: () => (mesh.isFixed || view?.state === 'absent' ? null : LOOK_MS),
    run: () => look().catch(error => warn(`The mesh could not be looked at: ${error instanceof Error ? error.message : error}`)),
  })

  const soon = () => AbortSignal.timeout(MESH_MS)
  const running = () => (view?.state === 'running' ? view : null)
  const mayOf = (caller: MeshCaller) => rightsOf(caller, running()?.self ?? { user: null }, rules)

  async function look(): Promise<void> {
    view = await mesh.view(soon())
    if (view.state !== 'running') {
      probing.follow([])
      return listenOn([])
    }
    // First of all, so that whoever is asked next finds this node too.
    await listenOn(view.hasInterface ? view.self.addresses : [])
    await memberships.keepOnly(new Set(view.members.map(({ id }) => id)))
    await Promise.all(view.members.map(refresh))
    probing.follow(view.members.filter(({ isOnline }) => isOnline))
  }

  async function listenOn(addresses: readonly string[]): Promise<void> {
    const failure = await listen(addresses).then(() => null, messageOf)
    if (failure !== null && failure !== lastFailure) warn(failure)
    lastFailure = failure
  }

  /** What the mesh grants a node that is known already. */
  async function refresh(member: MeshMember): Promise<void> {
    const bound = memberships.of(member.id)
    const caller = bound && (await callerOf(member, bound.id).catch(() => null))
    const url = caller && urlOf(caller)
    if (caller && url !== null) await memberships.update(caller, mayOf(caller), url)
  }

  /** Who a member is when it asks, by its key or by its address, whichever this mesh vouches for. */
  async function callerOf({ addresses: [address] }: MeshMember, node: NodeId): Promise<MeshCaller | null> {
    if (mesh.holds) return mesh.holds(node)
    return address === undefined ? null : mesh.whois(address, undefined, soon())
  }

  function urlOf({ url, addresses: [address] }: Pick<MeshMember, 'url' | 'addresses'>): string | null {
    if (url !== undefined) return url
    return address === undefined ? null : `http://${address.includes(':') ? `[${address}]` : address}:${port()}`
  }

  async function probe(member: MeshMember): Promise<void> {
    const url = urlOf(member)
    if (url === null) return
    const info = await ask(member, url)
    const caller = await callerOf(member, info.node)
    if (info.node === self || caller?.id !== member.id) throw new Error('This is another machine.')
    if (!(await memberships.meet(caller, { ...info, name: caller.name }, url, mayOf(caller))))
      warn(`${member.name} shows the key of node ${info.node}, which is on another machine.`)
  }

  /** Without an interface, what comes from the mesh is handed on from loopback, and the mesh knows by the port whose it is. */
  const mayComeFrom = (address: string) =>
    mesh.holds !== undefined ||
    mesh.mayOwn(address) ||
    (running()?.hasInterface === false && /^(::1|(::ffff:)?127\.[\d.]+)$/.test(address))

  async function callerAt({ address, port: from }: Remote): Promise<MeshCaller | null> {
    if (address === undefined || !mayComeFrom(address)) return null
    return mesh.whois(address, from, soon()).catch(() => null)
  }

  return {
    mesh: mesh.kind,
    memberships,
    user: () => running()?.self.user ?? null,
    addresses: () => running()?.self.addresses ?? [],
    whyNot(address) {
      if (running() || !mesh.mayOwn(address)) return null
      return view === null || view.state === 'running' ? 'The mesh was not asked yet.' : view.what
    },
    knock(remote) {
      void callerAt(remote).then(caller => {
        if (caller && !probing.soon(caller.id)) looking.now()
      })
    },
    // Where keys are vouched for, an address proves nothing.
    callerAt: async remote => (mesh.holds ? null : callerAt(remote)),
    async vouch(node, shown, remote) {
      const caller = mesh.holds ? mesh.holds(node) : remote && (await callerAt(remote))
      if (!caller) return null
      // A node's id is made of its first key, so that key needs no other proof than that.
      const publicKey = keyFor(node, shown) ?? (shown !== null && nodeIdOf(shown) === node ? shown : null)
      const may = mayOf(caller)
      if (publicKey === null || !hasAny(may)) return null
      return {
        publicKey,
        async admit() {
          const url = urlOf(caller)
          const met = url === null ? null : await memberships.meet(caller, { node, publicKey, name: caller.name }, url, may)
          if (met && membershipIn(met, mesh.kind)?.barred === null) return
          throw new ApiError(
            'unauthorized',
            `${caller.name} is not trusted here: ${met ? 'its key changed, or the trust in it was ended' : 'its key is that of another machine'}.`,
            {
              remedy: `There: \`skein peers trust ${caller.name}\`.`,
            },
          )
        },
      }
    },
    look,
    start() {
      mesh.watch(looking.now, over.signal)
      looking.now()
    },
    stop() {
      over.abort()
      looking.stop()
      probing.follow([])
    },
  }
}
