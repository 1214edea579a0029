import { readFile } from 'node:fs/promises'
import * as z from 'zod'
import { writeWhole } from '#server/lib/write-whole.ts'
import { NodeId, Timestamp } from '#shared/model/index.ts'
import { isPublicKey } from './identity.ts'
import { type Rights, union } from './rights.ts'

/** What a mesh says of a node, and whether that still counts. */
const Membership = z.strictObject({
  mesh: z.string(),
  /** The mesh's id of the machine that showed this node's key. */
  id: z.string().min(1),
  runsOurs: z.boolean(),
  weRunTheirs: z.boolean(),
  /** Whose the machine is, and under which tags. */
  user: z.string().nullable().default(null),
  tags: z.array(z.string()).default([]),
  /** Why it counts for nothing until the owner says so: the machine had another key before, or the owner ended the trust. */
  barred: z.enum(['key_changed', 'removed']).nullable(),
})
export type Membership = z.infer<typeof Membership>

const KnownPeer = z.strictObject({
  id: NodeId,
  name: z.string(),
  /** Its key now; the id is that of its first one. */
  publicKey: z.string().refine(isPublicKey, 'is no Ed25519 key'),
  address: z.url({ protocol: /^https?$/ }),
  /** What it was first known by, which says where it is asked. */
  source: z.enum(['paired', 'tailnet', 'listed']),
  runsOurs: z.boolean(),
  weRunTheirs: z.boolean(),
  /** What meshes say of it, each for itself. */
  members: z.array(Membership).default([]),
  /** The key it had before `publicKey`, taken until then. */
  oldKey: z.strictObject({ publicKey: z.string(), until: Timestamp }).optional(),
  addedAt: Timestamp,
})
/** A node that this one knows, and what it trusts it with: `runsOurs` and `weRunTheirs` by pairing, those of `members` by meshes. */
export type KnownPeer = z.infer<typeof KnownPeer>

/** What a node may in all. @param meshes kinds of those that are in use */
export function rightsNow(peer: KnownPeer, meshes: readonly string[]): Rights {
  const counted = peer.members.filter(({ mesh, barred }) => meshes.includes(mesh) && barred === null)
  return counted.reduce<Rights>(union, { runsOurs: peer.runsOurs, weRunTheirs: peer.weRunTheirs })
}

/** What one mesh says of a node. */
export const membershipIn = (peer: KnownPeer | null, mesh: string): Membership | undefined =>
  peer?.members.find(member => member.mesh === mesh)

export const hasAny = ({ runsOurs, weRunTheirs }: Rights): boolean => runsOurs || weRunTheirs

/**
 * What a node is called here: as it says itself, unless that is the name of this node or of another one here. Jobs and policies go by
 * names, so none may take that of another.
 * @param owners whose each name is
 */
export function calledHere(peer: Pick<KnownPeer, 'id' | 'name'>, says: string, owners: ReadonlyMap<string, NodeId>): string {
  const owner = owners.get(says)
  return owner === undefined || owner === peer.id ? says : peer.name
}

/** Whose each name is; the first that had it keeps it. */
export function ownersOfNames(nodes: readonly { readonly id: NodeId; readonly name: string }[]): ReadonlyMap<string, NodeId> {
  return new Map(nodes.toReversed().map(({ id, name }) => [name, id]))
}

/** The nodes this one knows; kept in a file of its own, so that an owner can read it. */
export interface KnownPeers {
  get(id: NodeId): KnownPeer | null
  list(): readonly KnownPeer[]
  /** On disk when it fulfils. */
  put(peer: KnownPeer): Promise<void>
  /** @returns whether there was one. */
  remove(id: NodeId): Promise<boolean>
  onChange(listener: () => void): () => void
}

/** @throws {Error} when the file is damaged; it is left as it is. */
export async function openKnownPeers(file: string): Promise<KnownPeers> {
  const peers = new Map((await load(file)).map(peer => [peer.id, peer]))
  const listeners = new Set<() => void>()
  let last: Promise<void> = Promise.resolve()

  /** One write after another, each of all there is then. */
  function save(): Promise<void> {
    for (const listener of listeners) listener()
    last = last.catch(() => {}).then(() => write(file, [...peers.values()]))
    return last
  }

  return {
    get: id => peers.get(id) ?? null,
    list: () => [...peers.values()],
    put(peer) {
      peers.set(peer.id, peer)
      return save()
    },
    async remove(id) {
      const found = peers.delete(id)
      if (found) await save()
      return found
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

async function load(file: string): Promise<KnownPeer[]> {
  const text = await readFile(file, 'utf8').catch(error => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '[]'
    throw error
  })
  try {
    return z.array(z.preprocess(withMembers, KnownPeer)).parse(JSON.parse(text))
  } catch (cause) {
    throw new Error(`The list of peers ${file} is damaged. Mend it, or remove it and pair the nodes anew.`, { cause })
  }
}

/** Files of nodes that knew one mesh. */
function withMembers(peer: unknown): unknown {
  if (typeof peer !== 'object' || peer === null || !('member' in peer)) return peer
  const { member, ...rest } = peer
  return { ...rest, members: [member] }
}

const write = (file: string, peers: readonly KnownPeer[]): Promise<void> =>
  writeWhole(file, `${JSON.stringify(peers, null, 2)}\n`)
