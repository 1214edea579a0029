import type { MeshCaller, MeshMember, MeshOutage, MeshView, PeerDirectory } from '#server/peers/peer-directory.ts'

/** A mesh whose members, policy and outages a test sets as it goes. */
export interface FakeMesh extends PeerDirectory {
  self: MeshMember
  members: MeshMember[]
  /** By id of the member. */
  grants: Map<string, MeshCaller['grants']>
  outage: MeshOutage | null
  hasInterface: boolean
  /** Tells whoever watches. */
  change(): void
}

const nobody: { users: string[]; tags: string[] } = { users: [], tags: [] }
/** Settings that let nobody use the API. */
export const NO_ROLES = { viewer: nobody, runner: nobody, admin: nobody }

export const machine = (id: string, address: string, more: Partial<MeshMember> = {}): MeshMember => ({
  id,
  name: id,
  addresses: [address],
  user: null,
  tags: [],
  isOnline: true,
  ...more,
})

export const down: MeshOutage = { state: 'stopped', what: 'It is off.', fix: 'Turn it on.' }

export function fakeMesh(): FakeMesh {
  const watching = new Set<() => void>()
  const mesh: FakeMesh = {
    kind: 'fake',
    source: 'tailnet',
    self: machine('self', '100.64.0.1'),
    members: [],
    grants: new Map(),
    outage: null,
    hasInterface: true,
    async view(): Promise<MeshView | MeshOutage> {
      const { self, members, hasInterface } = mesh
      return mesh.outage ?? { state: 'running', self, members: [...members], hasInterface }
    },
    mayOwn: address => address.startsWith('100.'),
    async whois(address) {
      if (mesh.outage) throw new Error(mesh.outage.what)
      const found = mesh.members.find(({ addresses }) => addresses.includes(address))
      return found ? { ...found, grants: mesh.grants.get(found.id) ?? {} } : null
    },
    watch(changed, signal) {
      watching.add(changed)
      signal.addEventListener('abort', () => watching.delete(changed))
    },
    change() {
      for (const changed of watching) changed()
    },
  }
  return mesh
}
