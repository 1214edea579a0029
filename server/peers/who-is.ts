import { randomUUID } from 'node:crypto'
import type { NodeInfo, NodeKeys } from '#shared/contract/index.ts'
import type { Keyring } from './keyring.ts'
import { type LinkDeps, peerClient } from './link.ts'
import { checkNodeProof } from './node-proof.ts'
import { requireCommon } from './protocols.ts'

/** Longest wait for the answer of a node that is asked who it is, ms. */
export const ASK_MS = 5_000

export interface WhoIsDeps extends LinkDeps {
  readonly keyring: Keyring
}

const soon = () => ({ signal: AbortSignal.timeout(ASK_MS) })

// Whoever it is, the assertion in these requests is for nobody: the id is not known yet.
const client = (address: string, { identity, clock, fetch }: LinkDeps) =>
  peerClient({ id: identity.nodeId, name: 'The node', address }, { identity, clock, ...(fetch && { fetch }) })

/** What a node says of itself, unproved. @throws {ApiError} `peer_unreachable` */
export const infoOf = (address: string, deps: LinkDeps, nonce?: string): Promise<NodeInfo> =>
  client(address, deps).nodeInfo({ query: nonce === undefined ? {} : { nonce } }, soon())

/** How a node says it came to its key. @throws {ApiError} `peer_unreachable` */
export const keysOf = (address: string, deps: LinkDeps): Promise<NodeKeys> => client(address, deps).nodeKeys({}, soon())

/** Asks an address which node it is. @throws {ApiError} `peer_unreachable`, `pairing_refused` */
export async function whoIs(address: string, deps: WhoIsDeps, nonce?: string): Promise<NodeInfo> {
  const info = await infoOf(address, deps, nonce)
  requireCommon(info.protocol, info.name)
  await deps.keyring.requireOwn(info, () => keysOf(address, deps))
  return info
}

/**
 * The same of a machine of a mesh, which has to prove its key.
 * @param host that it was asked at, which it has to prove to be its own; null where who holds the key is all that counts
 */
export async function whoIsAt(host: string | null, address: string, deps: WhoIsDeps): Promise<NodeInfo> {
  const nonce = randomUUID()
  const { proof, ...info } = await whoIs(address, deps, nonce)
  await checkNodeProof(proof, { node: info.node, publicKey: info.publicKey, nonce, address: host })
  return info
}
