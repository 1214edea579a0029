import * as z from 'zod'
import { NodeId } from '#shared/model/index.ts'
import { type Identity, keyFrom } from './identity.ts'

const loadJose = () => import('jose')

/** Another than that of a request, so that neither passes for the other. */
const TYPE = 'skein-node+jwt'

const Claims = z.object({ iss: NodeId, nonce: z.string(), addresses: z.array(z.string()).max(64) })

/**
 * Shows who holds a key and where: the key signs the asker's nonce with the addresses its node has on the mesh. Those are what keeps a
 * member from passing the question on to another node and that node's answer off as its own.
 */
export async function proveNode(identity: Identity, said: { nonce: string; addresses: readonly string[] }): Promise<string> {
  const { SignJWT } = await loadJose()
  return new SignJWT({ nonce: said.nonce, addresses: said.addresses })
    .setProtectedHeader({ alg: 'EdDSA', typ: TYPE })
    .setIssuer(identity.nodeId)
    .sign(identity.privateKey)
}

/** @throws {Error} that says what is wrong with the proof of a node that was asked at `address` */
export async function checkNodeProof(
  proof: string | undefined,
  asked: { node: NodeId; publicKey: string; nonce: string; address: string | null },
): Promise<void> {
  if (proof === undefined) throw new Error('it does not prove its key')
  const { jwtVerify } = await loadJose()
  const { payload } = await jwtVerify(proof, keyFrom(asked.publicKey), { algorithms: ['EdDSA'], typ: TYPE, issuer: asked.node })
  const { nonce, addresses } = Claims.parse(payload)
  if (nonce !== asked.nonce) throw new Error('its proof is for another question')
  if (asked.address !== null && !addresses.includes(asked.address))
    throw new Error(`its proof is for ${addresses.join(', ') || 'no address of a mesh'}`)
}
