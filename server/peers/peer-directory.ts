import type { NodeId } from '#shared/model/index.ts'

/** A machine of a mesh, as the mesh vouches for it. */
export interface MeshMember {
  /** The mesh's own id of the machine; lasts as long as the machine is part of it. */
  readonly id: string
  readonly name: string
  /** Where it is reached; the first is the preferred one. */
  readonly addresses: readonly string[]
  /** Where a node on it is asked, as a URL; default: the first address, at the port of the mesh. */
  readonly url?: string
  /** Login name of whose machine it is; null for one that acts under tags. */
  readonly user: string | null
  readonly tags: readonly string[]
  /** Whether the mesh sees it connected. A link that is cut may still count as connected for long. */
  readonly isOnline: boolean
}

/** A member that asks this node, with what the mesh's policy grants it here. */
export interface MeshCaller extends Omit<MeshMember, 'isOnline'> {
  /** Values by name of the capability; they are whatever somebody wrote into the policy. */
  readonly grants: Readonly<Record<string, readonly unknown[]>>
}

/** Why a mesh is of no use now, and what to do about it. `absent`: nothing of it is on this machine. */
export interface MeshOutage {
  readonly state: 'absent' | 'stopped' | 'needs_login' | 'starting' | 'no_permission' | 'unreachable'
  readonly what: string
  readonly fix: string
}

export interface MeshView {
  readonly state: 'running'
  readonly self: MeshMember
  /**
   * Whether `self.addresses` are addresses of this machine. Otherwise what is sent to them comes in on loopback, and this machine
   * reaches the others by a proxy only.
   */
  readonly hasInterface: boolean
  readonly members: readonly MeshMember[]
}

/**
 * A mesh: what knows machines by itself and vouches for them, so that nodes find and know each other without being told. It vouches for
 * whoever sends from an address (`whois`), or for whoever holds a key (`holds`). Another kind is a folder beside `tailscale/` and
 * a line in compose.ts.
 */
export interface PeerDirectory {
  /** What peers found by it are kept under, such as `tailscale`. */
  readonly kind: string
  /** How such peers are told of. */
  readonly source: 'tailnet' | 'listed'
  /** Its members stay the same while this node runs. */
  readonly isFixed?: boolean
  /** Asks anew. Never throws for an outage: it is an answer. */
  view(signal: AbortSignal): Promise<MeshView | MeshOutage>
  /** Whether an address is of those the mesh gives its members, and may be anybody's while it is out. */
  mayOwn(address: string): boolean
  /**
   * Who sends from there, asked anew. @param port of the connection's other end @returns null when it is nobody of the mesh. Where keys
   * are vouched for it is only a hint.
   */
  whois(address: string, port: number | undefined, signal: AbortSignal): Promise<MeshCaller | null>
  /** The member that a node is, where keys are vouched for; not there in a mesh that vouches for addresses. */
  holds?(node: NodeId): MeshCaller | null
  /** Calls whenever something may have changed, until aborted. Bears outages, and calls when one is over. */
  watch(changed: () => void, signal: AbortSignal): void
}
