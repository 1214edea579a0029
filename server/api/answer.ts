import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type * as z from 'zod'
import type { Clock } from '#server/lib/clock.ts'
import type { Operation } from '#shared/contract/index.ts'
import { downgrade, type JobEvent, PROTOCOL } from '#shared/model/index.ts'
import { type Exchange, headersOf, reply, replyJson } from './exchange.ts'
import { sendBytes } from './send-bytes.ts'
import { sseBytes } from './sse.ts'
import { byteStream, firstStarted, until } from './streams.ts'

/** The kinds of answer of server/lib/call.ts, with the operation's own types forgotten. */
interface JsonAnswer {
  readonly status: number
  readonly body: unknown
}
interface EventsAnswer {
  readonly page: () => Promise<unknown>
  readonly follow: () => AsyncIterable<JobEvent>
}
interface BytesAnswer {
  readonly headers?: Readonly<Record<string, string>>
  readonly body: Uint8Array<ArrayBuffer> | AsyncIterable<Uint8Array>
}

export interface AnswerDeps {
  /** Aborts when the node stops: streams that would go on for ever end there. */
  readonly stopping: AbortSignal
  /** Whether documents are held against their schema before they leave: in tests and development. */
  readonly checkAnswers: boolean
  readonly clock: Pick<Clock, 'after'>
  /** Told of a stream that failed after its status was sent; the caller sees the connection break. */
  readonly broken: (cause: unknown) => void
}

/** Puts what a handler answered on the wire. @param protocol that the caller speaks, when it is a node */
export async function answer(
  c: Exchange,
  operation: Operation,
  given: unknown,
  deps: AnswerDeps,
  protocol = PROTOCOL.max,
): Promise<Response> {
  const { answer: kind } = operation
  switch (kind.kind) {
    case 'json': {
      const { status, body } = given as JsonAnswer
      return document(c, status, downgrade(kind.schema, body, protocol), kind.schema, deps)
    }
    case 'events': {
      const { page, follow } = given as EventsAnswer
      if (!accepts(c.req.header('accept'), 'text/event-stream')) return document(c, 200, await page(), kind.schema, deps)
      const headers = { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' }
      if (c.req.raw.method === 'HEAD') return reply(c, 200, null, headers)
      const events = until([deps.stopping, c.req.raw.signal], follow())
      const stream = sseBytes(events, { clock: deps.clock, broken: cause => cut(c, cause, deps) })
      return reply(c, 200, stream, headers)
    }
    case 'bytes': {
      const { headers, body } = given as BytesAnswer
      return bytes(c, body, { 'content-type': kind.mediaType, ...headers }, deps)
    }
    case 'openai':
      return passThrough(c, given as Response, deps)
  }
}

function document(c: Exchange, status: number, body: unknown, schema: z.ZodType, deps: AnswerDeps): Response {
  if (deps.checkAnswers) schema.parse(body)
  return replyJson(c, status, body)
}

async function bytes(
  c: Exchange,
  body: BytesAnswer['body'],
  headers: Record<string, string>,
  deps: AnswerDeps,
): Promise<Response> {
  if (body instanceof Uint8Array) return reply(c, 200, body, headers)
  const started = await firstStarted(body)
  if (c.req.raw.method === 'HEAD') {
    await started.return()
    return reply(c, 200, null, headers)
  }
  const { outgoing } = c.env
  outgoing.writeHead(200, headersOf(c, headers))
  // Past web streams, which cost more than the bytes, and do not say when they are done with them.
  void sendBytes(started, outgoing).catch(cause => cut(c, cause, deps))
  return RESPONSE_ALREADY_SENT
}

/** Only what describes the body is passed on: cookies, rate limits and ids of a provider are this node's business. */
function passThrough(c: Exchange, response: Response, deps: AnswerDeps): Response {
  const headers = { 'content-type': response.headers.get('content-type') ?? 'application/json' }
  if (!response.body) return reply(c, response.status, null, headers)
  // By its reader, because an iterator of the stream would only end once its next piece has come.
  const reader = response.body.getReader()
  const stream = byteStream({ next: () => reader.read(), return: () => reader.cancel() }, cause => cut(c, cause, deps))
  return reply(c, response.status, stream, headers)
}

/** The status is long sent, so a broken connection is the only way left to say that the body is not whole. */
function cut(c: Exchange, cause: unknown, deps: AnswerDeps): void {
  if (!c.env.outgoing.destroyed) deps.broken(cause)
  c.env.outgoing.destroy()
}

/** Whether an Accept header names exactly this media type, and does not rule it out by `q=0`. */
function accepts(header: string | undefined, mediaType: string): boolean {
  return (header ?? '').split(',').some(range => {
    const [type = '', ...parameters] = range.split(';').map(part => part.trim().toLowerCase())
    return type === mediaType && !parameters.some(parameter => /^q=0(\.0*)?$/.test(parameter))
  })
}
