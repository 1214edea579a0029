import { createPublicKey, type KeyObject } from 'node:crypto'
import * as z from 'zod'
import { NodeId } from '#shared/model/index.ts'

const loadJose = () => import('jose')

/** Another than that of a request, so that neither passes for the other. */
const TYPE = 'skein-rotation+jwt'
/** Longest time an old key is still taken, whatever a statement says, s. */
const MOST_GRACE_S = 24 * 3_600

const Claims = z.object({ iss: NodeId, from: z.string(), to: z.string(), iat: z.number(), until: z.number() })

/** A key that a node had, and until when it still counts, ms since 1970. */
export interface OldKey {
  readonly publicKey: string
  readonly until: number
}

/** A node says which key is its next, signed by the one it has. @param when ms */
export async function signRotation(
  node: { readonly nodeId: NodeId; readonly publicKey: string; readonly privateKey: KeyObject },
  to: string,
  when: { readonly at: number; readonly graceMs: number },
): Promise<string> {
  const { SignJWT } = await loadJose()
  const iat = Math.floor(when.at / 1000)
  return new SignJWT({ from: node.publicKey, to, until: iat + Math.ceil(when.graceMs / 1000) })
    .setProtectedHeader({ alg: 'EdDSA', typ: TYPE })
    .setIssuer(node.nodeId)
    .setIssuedAt(iat)
    .sign(node.privateKey)
}

/** What the last of these statements says, unproved; null without one, or where it says nothing. */
export function lastKey(rotations: readonly string[]): { from: string; to: string } | null {
  const [, payload = ''] = (rotations.at(-1) ?? '').split('.')
  try {
    return z.object({ from: z.string(), to: z.string() }).parse(JSON.parse(Buffer.from(payload, 'base64url').toString()))
  } catch {
    return null
  }
}

/**
 * Follows a node's statements from a key that is known to be its own to the one it has now. What came before that key is not looked at,
 * so an old statement, or another next key for a key that has one, changes nothing.
 * @param isFirst whether a key is the one the node's id is made of
 * @param known null: begin at that first key
 * @returns null when the statements lead nowhere from there
 * @throws {Error} when one on the way is not signed as it should be
 */
export async function followRotations(
  node: NodeId,
  rotations: readonly string[],
  known: string | null,
  { isFirst, now }: { isFirst(publicKey: string): boolean; now: number },
): Promise<{ publicKey: string; previous: OldKey } | null> {
  const { decodeJwt, jwtVerify } = await loadJose()
  let key = known
  let previous: OldKey | null = null
  for (const statement of rotations) {
    const said = Claims.parse(decodeJwt(statement))
    if (key === null && isFirst(said.from)) key = said.from
    if (said.from !== key) continue
    const { payload } = await jwtVerify(statement, publicKeyOf(key), {
      algorithms: ['EdDSA'],
      typ: TYPE,
      issuer: node,
      currentDate: new Date(now),
    })
    const { to, until, iat } = Claims.parse(payload)
    const latest = now / 1000 + MOST_GRACE_S
    previous = { publicKey: key, until: Math.min(until, iat + MOST_GRACE_S, latest) * 1000 }
    key = to
  }
  return key === null || previous === null ? null : { publicKey: key, previous }
}

const publicKeyOf = (x: string): KeyObject => createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
