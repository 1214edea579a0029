import * as z from 'zod'
import type { Clock } from '#server/lib/clock.ts'
import { type Files, nodeFiles } from '#server/lib/files.ts'
import { within } from '#server/lib/within.ts'
import {
  ApiError,
  type Carrier,
  type Client,
  createClient,
  type Operation,
  operations,
  type Response_,
} from '#shared/contract/index.ts'
import { downgrade } from '#shared/model/index.ts'
import { assertionFor, sha256 } from './assertion.ts'
import type { Identity } from './identity.ts'
import type { KnownPeer } from './known-peers.ts'
import type { PeerLink } from './port.ts'

/** Longest wait for the head of an answer beyond what the question asks to wait, ms. */
const ANSWER_MS = 15_000
/** Piece of a file sent at once: what is lost when a connection breaks. */
const PIECE_BYTES = 8 * 1024 * 1024
/** Longest document taken: a node that is trusted with jobs is not trusted with this one's memory. */
const ANSWER_BYTES = 32 * 1024 * 1024

export interface LinkDeps {
  readonly identity: Identity
  readonly clock: Clock
  readonly fetch?: typeof globalThis.fetch
  /** The protocol to speak with a node. Default: the first, which all know. */
  readonly protocolWith?: (peer: Addressee) => Promise<number>
  /** A node does not know our key. @returns whether it knows it now */
  readonly introduce?: (peer: Addressee) => Promise<boolean>
}

type Addressee = Pick<KnownPeer, 'id' | 'name' | 'address'>

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

/** What a peer answers is its own word: whatever is wrong with it is told as one line about that peer. */
function unreachable(peer: Omit<Addressee, 'id'>, cause: unknown): ApiError {
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
  return error.cause instanceof Error ? error.cause.message : error.message
}

type Arguments = { readonly body?: unknown }
type AnyClient = Record<string, (args: unknown, options: unknown) => Promise<unknown>>
const FIRST_PROTOCOL = 1

/** The operations of another node, as this one may call them: in the words of the protocol that both speak. */
export const peerClient = (peer: Addressee, deps: LinkDeps): Client =>
  clientOver(protocol => carrierTo(peer, protocol, deps), peer, deps)

/** The same over any carrier. */
export function clientOver(
  carrierFor: (protocol: number) => Carrier,
  peer: Addressee,
  { protocolWith, introduce }: Pick<LinkDeps, 'protocolWith' | 'introduce'>,
): Client {
  const clients = new Map<number, AnyClient>()
  const speaking = (protocol: number): AnyClient => {
    const client = clients.get(protocol) ?? (createClient(carrierFor(protocol), null) as unknown as AnyClient)
    clients.set(protocol, client)
    return client
  }

  async function call(name: string, operation: Operation, args: Arguments, options: unknown): Promise<unknown> {
    const protocol = (await protocolWith?.(peer)) ?? FIRST_PROTOCOL
    if ((operation.since ?? FIRST_PROTOCOL) > protocol && protocolWith)
      throw new ApiError('not_found', `${peer.name} speaks protocol ${protocol}, which does not have this.`, {
        remedy: `Update Skein on ${peer.name}.`,
      })
    const body = operation.body ? { body: downgrade(operation.body, args.body, protocol) } : {}
    const ask = async () => speaking(protocol)[name]?.({ ...args, ...body }, options)
    try {
      return await ask()
    } catch (error) {
      // Our key may be new, and the other may not have heard of that.
      const isStranger = error instanceof ApiError && error.code === 'unauthorized'
      if (isStranger && (await introduce?.(peer))) return ask()
      throw error
    }
  }

  const calls = Object.entries(operations).map(([name, operation]) => [
    name,
    (args: Arguments = {}, options?: unknown) =>
      call(name, operation, args, options).catch(cause => Promise.reject(unreachable(peer, cause))),
  ])
  return Object.fromEntries(calls) as Client
}

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
    async settle(attempt) {
      await soon(options => client.settleAttempt({ params: params(attempt) }, options))
    },
    async answer(attempt, requestId, optionId) {
      const asked = { params: { ...params(attempt), requestId }, body: { optionId } }
      await soon(options => client.answerForAttempt(asked, options))
    },
  }
}
