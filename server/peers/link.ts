import type { Clock } from '#server/lib/clock.ts'
import { type Files, nodeFiles } from '#server/lib/files.ts'
import { whenCalled } from '#server/lib/when-called.ts'
import { within } from '#server/lib/within.ts'
import { ApiError, type Carrier, type Client, type Response_ } from '#shared/contract/index.ts'
import { assertionFor, sha256 } from './assertion.ts'
import type { Manners } from './client-over.ts'
import type { Identity } from './identity.ts'
import type { KnownPeer } from './known-peers.ts'
import type { PeerLink } from './port.ts'
import { type Addressee, unreachable } from './unreachable.ts'

/** Longest wait for the head of an answer beyond what the question asks to wait, ms. */
const ANSWER_MS = 15_000
/** Piece of a file sent at once: what is lost when a connection breaks. */
const PIECE_BYTES = 8 * 1024 * 1024
/** Longest document taken: a node that is trusted with jobs is not trusted with this one's memory. */
const ANSWER_BYTES = 32 * 1024 * 1024

export interface LinkDeps extends Manners {
  readonly identity: Identity
  readonly clock: Clock
  readonly fetch?: typeof globalThis.fetch
}

/** Sends requests to one node, each with an assertion of its own. Redirects are not followed: they could lead anywhere. */
function carrierTo(peer: Addressee, protocol: number, { identity, clock, fetch = globalThis.fetch }: LinkDeps) {
  return async (path: string, init: Parameters<Carrier>[1]): Promise<Response_> => {
    const request = { method: init.method, path, bodySha256: sha256(init.body ?? '') }
    const authorization = await assertionFor(identity, peer.id, request, clock, protocol)
    try {
      const response = await fetch(new URL(path, peer.address), {
        method: init.method,
        headers: { ...init.headers, authorization },
        redirect: 'error',
        ...(init.body === undefined ? {} : { body: init.body as string }),
        ...(init.signal instanceof AbortSignal ? { signal: init.signal } : {}),
      })
      return bounded(response)
    } catch (cause) {
      throw unreachable(peer, cause)
    }
  }
}

/** An answer of which no more than ANSWER_BYTES are held; its stream of bytes is the reader's to bound. */
function bounded(response: Response): Response_ {
  const { status, ok, headers, body } = response
  async function whole(): Promise<Buffer<ArrayBuffer>> {
    const pieces: Uint8Array[] = []
    let size = 0
    for await (const piece of (body ?? []) as AsyncIterable<Uint8Array>) {
      size += piece.byteLength
      if (size > ANSWER_BYTES) throw new Error(`its answer has more than ${ANSWER_BYTES} bytes`)
      pieces.push(piece)
    }
    return Buffer.concat(pieces)
  }
  const text = async () => (await whole()).toString()
  const arrayBuffer = async () => new Uint8Array(await whole()).buffer
  return { status, ok, headers, body, text, arrayBuffer, json: async () => JSON.parse(await text()) }
}

/**
 * The operations of another node, as this one may call them. What carries them (every operation with its schemas) is loaded with the
 * first call: a node that asks nobody starts without it.
 */
export const peerClient = (peer: Addressee, deps: LinkDeps): Client =>
  whenCalled(async () => (await import('./client-over.ts')).clientOver(protocol => carrierTo(peer, protocol, deps), peer, deps))

/** A link to a node over HTTP. */
export const httpLink = (peer: Pick<KnownPeer, 'id' | 'name' | 'address'>, deps: LinkDeps): PeerLink =>
  createLink(peer, peerClient(peer, deps), { clock: deps.clock, files: nodeFiles })

/** What jobs ask of a node, over whatever carries its operations. */
export function createLink(
  peer: Pick<KnownPeer, 'name' | 'address'>,
  client: Client,
  { clock, files }: { clock: Clock; files: Files },
): PeerLink {
  const params = ({ jobId, epoch }: { jobId: string; epoch: number }) => ({ id: jobId, epoch })
  const bytes = async function* (answer: Promise<{ body: unknown }>): AsyncGenerator<Uint8Array> {
    const { body } = await answer
    try {
      if (body) yield* body as AsyncIterable<Uint8Array>
    } catch (cause) {
      throw unreachable(peer, cause)
    }
  }
  const soon = <T>(ask: (options: { signal: AbortSignal }) => Promise<T>, ms = ANSWER_MS, signal: AbortSignal | null = null) =>
    within(clock, ms, signal, until => ask({ signal: until }))

  return {
    announce: (body, signal) => client.announce({ body }, { signal }),
    async releaseBid(bidId) {
      await soon(options => client.releaseBid({ body: { bidId } }, options))
    },
    award: (body, signal) => soon(options => client.award({ body }, options), ANSWER_MS, signal),
    async shipSnapshot(attempt, { file, bytes: total, sha256 }, signal) {
      const bundle = await files.open(file, 'read')
      try {
        const buffer = new Uint8Array(Math.min(PIECE_BYTES, total))
        // Nothing at first: how much is there already, and whether the other takes so much.
        for (let offset = 0, most = 0; ; most = buffer.byteLength) {
          const size = await bundle.read(buffer.subarray(0, Math.min(most, total - offset)), offset)
          const body = buffer.subarray(0, size)
          const query = { offset, total, sha256 }
          const answer = await client.shipSnapshot({ params: params(attempt), query, body }, { signal })
          if (answer.bytes >= total) return
          if (answer.bytes <= offset && size > 0 && answer.bytes !== 0)
            throw new ApiError('peer_unreachable', `${peer.name} does not take what is sent to it.`)
          offset = answer.bytes
        }
      } finally {
        await bundle.close()
      }
    },
    renew: (attempt, body, signal) =>
      soon(options => client.renew({ params: params(attempt), body }, options), body.waitMs + ANSWER_MS, signal),
    log: (attempt, offset, signal) => bytes(client.attemptLog({ params: params(attempt), query: { offset } }, { signal })),
    result: (attempt, offset, signal) => bytes(client.attemptResult({ params: params(attempt), query: { offset } }, { signal })),
    modelCalls(attempt, known, signal) {
      const asked = { params: params(attempt), body: { ...known, open: [...known.open] } }
      return soon(options => client.modelCalls(asked, options), known.waitMs + ANSWER_MS, signal)
    },
    answerModelCall(attempt, call, { body, ...query }, signal) {
      const piece = { params: { ...params(attempt), call }, query, body }
      return soon(options => client.answerModelCall(piece, options), ANSWER_MS, signal)
    },
    async places(attempt, signal) {
      const ask = (options: { signal: AbortSignal }) => client.attemptPlaces({ params: params(attempt) }, options)
      return (await soon(ask, ANSWER_MS, signal)).items
    },
    async settle(attempt) {
      await soon(options => client.settleAttempt({ params: params(attempt) }, options))
    },
    async answer(attempt, requestId, optionId) {
      const asked = { params: { ...params(attempt), requestId }, body: { optionId } }
      await soon(options => client.answerForAttempt(asked, options))
    },
  }
}
