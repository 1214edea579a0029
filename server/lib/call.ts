import type * as z from 'zod'
import type { Input, Operation, Operations } from '#shared/contract/index.ts'
import type { JobEvent, NodeId, Role } from '#shared/model/index.ts'

/** What every handler is told besides its input. */
export interface Call {
  /** Aborts when the caller goes away or the server stops. */
  readonly signal: AbortSignal
  /** The node that asks, for operations of nodes. */
  readonly peer?: NodeId
  /** The protocol it speaks. */
  readonly peerProtocol?: number
  /** What a caller is allowed that showed no token and is known by a mesh; the owner has none. */
  readonly role?: Role
  /** Address the request came from. */
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
}

type Json<O extends Operation> = O['answer'] extends { kind: 'json'; schema: infer S extends z.ZodType }
  ? { status: O['status'][number]; body: z.input<S> }
  : never
type Events<O extends Operation> = O['answer'] extends { kind: 'events'; schema: infer S extends z.ZodType }
  ? { page: () => Promise<z.input<S>>; follow: () => AsyncIterable<JobEvent> }
  : never
/** The pieces of a stream are handed over with their memory. */
type Bytes<O extends Operation> = O['answer'] extends { kind: 'bytes' }
  ? { headers?: Readonly<Record<string, string>>; body: Uint8Array | AsyncIterable<Uint8Array> }
  : never
type OpenAi<O extends Operation> = O['answer'] extends { kind: 'openai' } ? Response : never

/** What a handler answers, by the operation's kind of answer. A stream is promised, so that its first failure is still a status. */
export type Answer<O extends Operation> = Json<O> | Events<O> | Bytes<O> | OpenAi<O>

export type Handler<O extends Operation> = (input: Input<O>, call: Call) => Promise<Answer<O>>
/** One handler for every operation; a forgotten one does not compile. */
export type Handlers = { readonly [K in keyof Operations]: Handler<Operations[K]> }
