import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import { ApiError } from '#shared/contract/index.ts'
import type { Role } from '#shared/model/index.ts'

/** What the pipeline knows about one request; see application.ts for the order of the steps that fill it in. */
export interface Environment {
  Bindings: HttpBindings & {
    /** The connection came in where only other nodes are answered. */
    readonly isForNodes?: boolean
  }
  Variables: {
    /** Headers every answer to this request carries besides the general ones. */
    extra: Readonly<Record<string, string>>
    /** What a mesh lets the caller do, who came in where other nodes are answered. */
    role: Role | null
    /** Whether the caller showed the node's own token. */
    known: boolean
  }
}
export type Exchange = Context<Environment>

type Headers_ = Readonly<Record<string, string>>

/** An answer is data for the program that asked: never cached, framed, sniffed, or run as a page. */
const GENERAL_HEADERS: Headers_ = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-site',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

/** All headers of an answer to this request. */
export const headersOf = (c: Exchange, headers: Headers_): Record<string, string> => ({
  ...GENERAL_HEADERS,
  ...c.get('extra'),
  ...headers,
})

export function reply(
  c: Exchange,
  status: number,
  body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null,
  headers: Headers_,
): Response {
  return new Response(body, { status, headers: headersOf(c, headers) })
}

export const replyJson = (c: Exchange, status: number, value: unknown): Response =>
  reply(c, status, JSON.stringify(value), { 'content-type': 'application/json' })

/** An RFC 9457 problem document. @param instance identifies this one occurrence in the log. */
export function problem(error: ApiError, instance: string, headers: Headers_ = {}): Response {
  const document = error.toProblem()
  return new Response(JSON.stringify({ ...document, instance }), {
    status: document.status,
    headers: {
      ...GENERAL_HEADERS,
      'content-type': 'application/problem+json',
      ...(error.code === 'unauthorized' ? { 'www-authenticate': 'Bearer realm="skein"' } : {}),
      ...(document.retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(document.retryAfterMs / 1000)) }),
      ...headers,
    },
  })
}

/** Hides what is not meant for a caller: anything but an ApiError becomes `internal` without a word of why. */
export function asApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown
  return new ApiError('internal', 'The node failed to do this; its log says why, under the id in "instance".', { cause: thrown })
}
