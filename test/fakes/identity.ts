import { generateKeyPairSync } from 'node:crypto'
import { nodeIdOf } from '#server/peers/identity.ts'

/** A key of a node that lives in memory only. */
export function makeIdentity() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const { x = '' } = publicKey.export({ format: 'jwk' })
  return { nodeId: nodeIdOf(x), publicKey: x, privateKey, rotations: [], async rotate() {} }
}
