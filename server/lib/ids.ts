import { randomBytes } from 'node:crypto'
import type { JobId } from '#shared/model/index.ts'
import type { Clock } from './clock.ts'

/** Crockford's base 32 in lower case: no i, l, o, u. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

/** 6 characters of seconds since 1970 (enough until 2004 + 34 years wrap, so taken modulo 2^30) and 8 random ones (40 bits). */
export function createJobIds(clock: Clock, random: (bytes: number) => Uint8Array = randomBytes): () => JobId {
  return () => {
    let seconds = Math.floor(clock.now() / 1000) % 2 ** 30
    let time = ''
    for (let digit = 0; digit < 6; digit++) {
      time = ALPHABET[seconds % 32] + time
      seconds = Math.floor(seconds / 32)
    }
    return time + Array.from(random(8), byte => ALPHABET[byte % 32]).join('')
  }
}

/** A secret that cannot be guessed: 32 random bytes as 43 URL-safe characters. */
export function newToken(): string {
  return randomBytes(32).toString('base64url')
}
