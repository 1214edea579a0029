import { createHash, randomUUID } from 'node:crypto'
import * as z from 'zod'
import type { Clock } from '#server/lib/clock.ts'
import { ApiError } from '#shared/contract/index.ts'
import { NodeId, PROTOCOL } from '#shared/model/index.ts'
import { type Identity, isPublicKey, keyFrom } from './identity.ts'

/** Loaded with the first request between nodes: a node without peers starts without it. */
const loadJose = () => import('jose')

const SCHEME = 'Skein'
const TYPE = 'skein-request+jwt'
/** How long an assertion is good for, and by how much two clocks may differ, s. */
const LIFE_S = 30
const SKEW_S = 30
/** Assertions remembered against replay; past this the node takes no more until some expire. */
const MOST_REMEMBERED = 100_000

/** A request as an assertion is bound to it. */
export interface SignedRequest {
  readonly method: string
  /** With the query. */
  readonly path: string
  /** SHA-256 of the body in hex. */
  readonly bodySha256: string
}

export const sha256 = (body: string | Uint8Array): string => createHash('sha256').update(body).digest('hex')

const Claims = z.object({
  iss: NodeId,
  aud: NodeId,
  iat: z.number(),
  exp: z.number(),
  jti: z.string().min(8).max(64),
  method: z.string(),
  path: z.string(),
  body: z.string(),
  /** The protocol the caller speaks in this request; nodes of the first do not say. */
  v: z.int().min(1).default(1),
})

/** The value of an Authorization header that lets one node make one request of another, once and soon. */
export async function assertionFor(
  identity: Identity,
  audience: NodeId,
  request: SignedRequest,
  clock: Clock,
  protocol = PROTOCOL.max,
): Promise<string> {
  const { SignJWT } = await loadJose()
  const now = Math.floor(clock.now() / 1000)
  const token = await new SignJWT({ method: request.method, path: request.path, body: request.bodySha256, v: protocol })
    .setProtectedHeader({ alg: 'EdDSA', typ: TYPE, jwk: { kty: 'OKP', crv: 'Ed25519', x: identity.publicKey } })
    .setIssuer(identity.nodeId)
    .setAudience(audience)
    .setIssuedAt(now)
    .setExpirationTime(now + LIFE_S)
    .setJti(randomUUID())
    .sign(identity.privateKey)
  return `${SCHEME} ${token}`
}

/** Whether a header is meant to be an assertion. */
export const isAssertion = (authorization: string | undefined): boolean => authorization?.startsWith(`${SCHEME} `) ?? false

/** A request whose body may not have been read yet: nobody unknown makes this node read megabytes. */
export interface ArrivingRequest {
  readonly method: string
  readonly path: string
  readonly bodySha256: string | (() => Promise<string>)
  /** The other end of the connection. */
  readonly remote?: Remote
}

export interface Remote {
  readonly address: string | undefined
  readonly port: number | undefined
}

/** A key to hold a request against. */
export interface TrustedKey {
  readonly publicKey: string
  /** Called when the signature holds; the last that can refuse. @throws {ApiError} */
  admit?(): Promise<void>
}

/** Another node that asks something. */
export interface PeerCaller {
  readonly node: NodeId
  /** What it understands. */
  readonly protocol: number
}

export interface Verifier {
  /** @returns who asks. @throws {ApiError} `unauthorized`, with what is wrong */
  verify(authorization: string, request: ArrivingRequest): Promise<PeerCaller>
}

/** @param keyOf the key of a node that is trusted, or null; `shown` is the key the request says it is signed with */
export function createVerifier(deps: {
  self: NodeId
  keyOf(node: NodeId, shown: string | null, remote: Remote | undefined): Promise<TrustedKey | null>
  clock: Clock
}): Verifier {
  const { self, keyOf, clock } = deps
  /** Ids of assertions that were used, with when they expire, s. */
  const used = new Map<string, number>()

  function remember(id: string, expires: number, now: number): void {
    if (used.has(id)) throw refusal('This assertion was used before.', 'Sign each request anew.')
    if (used.size >= MOST_REMEMBERED) for (const [old, end] of used) if (end + SKEW_S < now) used.delete(old)
    if (used.size >= MOST_REMEMBERED)
      throw new ApiError('too_many_requests', 'Other nodes ask too often.', { retryAfterMs: 1000 })
    used.set(id, expires)
  }

  return {
    async verify(authorization, request) {
      const token = authorization.slice(SCHEME.length + 1)
      const { decodeJwt, decodeProtectedHeader, jwtVerify } = await loadJose()
      const claims = readClaims(() => decodeJwt(token))
      if (claims.aud !== self)
        throw refusal(`The assertion is for node ${claims.aud}, and this is ${self}.`, 'Ask the node it is for.')
      const now = Math.floor(clock.now() / 1000)
      if (claims.iat - now > SKEW_S || now - claims.exp > SKEW_S)
        throw refusal(
          `The assertion was made ${claims.iat - now} s from now by the caller's clock.`,
          'Set both clocks (NTP): they may differ by 30 s.',
        )
      const shown = shownKey(() => decodeProtectedHeader(token).jwk?.x)
      const trusted = await keyOf(claims.iss, shown, request.remote)
      if (trusted === null)
        throw refusal(`Node ${claims.iss} is not trusted here.`, 'Pair the two: `skein pair` here, `skein peers add` there.')
      await jwtVerify(token, keyFrom(trusted.publicKey), {
        algorithms: ['EdDSA'],
        typ: TYPE,
        issuer: claims.iss,
        audience: self,
        clockTolerance: SKEW_S,
        maxTokenAge: LIFE_S + SKEW_S,
        currentDate: new Date(clock.now()),
      }).catch(cause => {
        throw refusal(
          `The signature does not hold: ${cause instanceof Error ? cause.message : cause}`,
          'Pair the two nodes anew.',
        )
      })
      if (claims.method !== request.method || claims.path !== request.path)
        throw refusal(`The assertion is for ${claims.method} ${claims.path}.`, 'Sign each request anew.')
      const { bodySha256 } = request
      if (claims.body !== (typeof bodySha256 === 'string' ? bodySha256 : await bodySha256()))
        throw refusal('The body is not the one that was signed.', 'Sign each request anew.')
      remember(claims.jti, claims.exp, now)
      await trusted.admit?.()
      return { node: claims.iss, protocol: Math.min(claims.v, PROTOCOL.max) }
    },
  }
}

function readClaims(decode: () => unknown): z.infer<typeof Claims> {
  try {
    const claims = Claims.parse(decode())
    if (claims.exp - claims.iat > LIFE_S) throw new Error('it lives too long')
    return claims
  } catch (cause) {
    throw refusal(
      `This is no assertion: ${cause instanceof Error ? cause.message.split('\n')[0] : cause}`,
      'Use a Skein node to ask.',
    )
  }
}

function shownKey(read: () => unknown): string | null {
  try {
    const key = read()
    return typeof key === 'string' && isPublicKey(key) ? key : null
  } catch {
    return null
  }
}

const refusal = (detail: string, remedy: string): ApiError => new ApiError('unauthorized', detail, { remedy })
