import { randomUUID } from 'node:crypto'
import { ApiError, type NodeInfo } from '#shared/contract/index.ts'
import { PROTOCOL } from '#shared/model/index.ts'
import { isPublicKey, nodeIdOf } from './identity.ts'
import { type LinkDeps, peerClient } from './link.ts'
import { checkNodeProof } from './node-proof.ts'

/** Longest wait for the answer of a node that is asked who it is, ms. */
export const ASK_MS = 5_000

/** Asks an address which node it is. @throws {ApiError} `peer_unreachable`, `pairing_refused` */
export async function whoIs(address: string, deps: LinkDeps, nonce?: string): Promise<NodeInfo> {
  // Whoever it is, the assertion in this request is for nobody: the id is not known yet.
  const nobody = { id: deps.identity.nodeId, name: 'The node', address }
  const query = nonce === undefined ? {} : { nonce }
  const info = await peerClient(nobody, deps).nodeInfo({ query }, { signal: AbortSignal.timeout(ASK_MS) })
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

/** The same of a machine of a mesh, which has to prove its key, and that the address it was asked at is its own. */
export async function whoIsAt(host: string, address: string, deps: LinkDeps): Promise<NodeInfo> {
  const nonce = randomUUID()
  const { proof, ...info } = await whoIs(address, deps, nonce)
  await checkNodeProof(proof, { node: info.node, publicKey: info.publicKey, nonce, address: host })
  return info
}

/** @throws {ApiError} `pairing_refused` */
export function requireOwnKey({ node, publicKey }: NodeInfo): void {
  if (!isPublicKey(publicKey) || nodeIdOf(publicKey) !== node)
    throw new ApiError('pairing_refused', `Node ${node} shows a key that is not its own.`)
}
