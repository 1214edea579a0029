import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Clock } from '#server/lib/clock.ts'
import { ApiError, type NodeInfo } from '#shared/contract/index.ts'

const CODE_MS = 10 * 60_000
const MOST_CODES = 16
/** Wrong proofs a minute; a code has 100 bits, so this is for the log more than for safety. */
const MOST_WRONG = 5
const MINUTE_MS = 60_000
/** Crockford's base 32: no letter looks like a digit. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const GROUPS = 5
const GROUP = 4

/** What both sides of a pairing saw; a man in the middle would have to show each a different one. */
export interface Transcript {
  readonly caller: NodeInfo
  readonly callee: Pick<NodeInfo, 'node' | 'publicKey'>
  readonly nonce: string
}

/** Proof of knowing a code, for one side of a transcript: HMAC-SHA-256 keyed with the code. */
export function proofOf(code: string, side: 'caller' | 'callee', { caller, callee, nonce }: Transcript): string {
  const said = JSON.stringify(['skein-pairing-1', side, caller.node, caller.publicKey, callee.node, callee.publicKey, nonce])
  return createHmac('sha256', canonical(code)).update(said).digest('base64url')
}

/** People type lower case, and leave the dashes out. */
const canonical = (code: string): string => code.toUpperCase().replace(/[^0-9A-Z]/g, '')

export const sameProof = (one: string, other: string): boolean => {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** One-time codes that let another node in. */
export interface PairingCodes {
  create(): { code: string; expiresAt: number }
  /** Uses up the code that was proved. @returns it. @throws {ApiError} `pairing_refused`, `too_many_requests` */
  redeem(proof: string, transcript: Transcript): string
}

export function createPairingCodes(clock: Clock, random: (bytes: number) => Uint8Array = randomBytes): PairingCodes {
  /** With when each ends, on the monotonic clock: setting the wall clock back revives none. */
  const codes = new Map<string, number>()
  let wrong: number[] = []

  return {
    create() {
      for (const [code, until] of codes) if (until <= clock.monotonic()) codes.delete(code)
      if (codes.size >= MOST_CODES) codes.delete([...codes.keys()][0] ?? '')
      const letters = Array.from(random(GROUPS * GROUP), byte => ALPHABET[byte % ALPHABET.length]).join('')
      const code = letters.match(/.{4}/g)?.join('-') ?? letters
      codes.set(code, clock.monotonic() + CODE_MS)
      return { code, expiresAt: clock.now() + CODE_MS }
    },
    redeem(proof, transcript) {
      const now = clock.monotonic()
      wrong = wrong.filter(at => now - at < MINUTE_MS)
      if (wrong.length >= MOST_WRONG)
        throw new ApiError('too_many_requests', 'Too many wrong pairing codes.', { retryAfterMs: MINUTE_MS })
      for (const [code, until] of codes) {
        if (until <= now || !sameProof(proofOf(code, 'caller', transcript), proof)) continue
        codes.delete(code)
        return code
      }
      wrong.push(now)
      throw new ApiError('pairing_refused', 'The pairing code is wrong, was used, or is older than 10 minutes.', {
        remedy: 'Make a new one on that node: `skein pair`.',
      })
    },
  }
}
