import * as z from 'zod'
import { ApiError } from '#shared/contract/index.ts'
import type { KnownPeer } from './known-peers.ts'

export type Addressee = Pick<KnownPeer, 'id' | 'name' | 'address'>

/** What a peer answers is its own word: whatever is wrong with it is told as one line about that peer. */
export function unreachable(peer: Omit<Addressee, 'id'>, cause: unknown): ApiError {
  if (cause instanceof ApiError) return cause
  return new ApiError('peer_unreachable', `${peer.name} (${peer.address}) did not answer: ${whyOf(cause)}`, { cause })
}

function whyOf(error: unknown): string {
  if (error instanceof z.ZodError) {
    const [issue] = error.issues
    return `its answer is not what it should be: /${issue?.path.map(String).join('/') ?? ''}: ${issue?.message ?? ''}`
  }
  if (error instanceof SyntaxError) return 'its answer is no JSON'
  if (!(error instanceof Error)) return String(error)
  if (error.cause instanceof Error) return whyOf(error.cause)
  // A name with several addresses fails with an error for each, and no word of its own.
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(whyOf).join('; ')
  return error.message
}
