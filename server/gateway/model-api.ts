import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Models } from '#server/models/index.ts'
import { ApiError, operations } from '#shared/contract/index.ts'
import type { GatewaySpec } from './port.ts'

/** Conversations carry whole files and images. */
const MAX_BODY_BYTES = 20 * 1000 * 1000

interface Context {
  readonly models: Models
  readonly spec: GatewaySpec
  readonly stopping: AbortSignal
}

/** Answers the operations that a job may call: those of the table with access `job`. @throws {ApiError} */
export async function answerModels(
  request: IncomingMessage,
  response: ServerResponse,
  { models, spec, stopping }: Context,
): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  const signal = AbortSignal.any([gone.signal, stopping])
  const call = { signal, used: spec.used }
  const path = request.url?.split('?', 1)[0]
  const asks = ({ method, path: own }: { method: string; path: string }) => request.method === method && path === own

  if (asks(operations.listModels)) {
    const { models: data } = await models.list(signal)
    return send(response, Response.json({ object: 'list', data }))
  }
  if (asks(operations.chat)) return send(response, await models.chat(await readBody(request, operations.chat.body), call))
  if (asks(operations.embed)) return send(response, await models.embed(await readBody(request, operations.embed.body), call))
  throw new ApiError(
    'not_found',
    `A job may not call ${request.method} ${path}; it has ${operations.listModels.path}, ${operations.chat.path} and ${operations.embed.path}.`,
  )
}

interface Schema<T> {
  safeParse(
    value: unknown,
  ): { success: true; data: T } | { success: false; error: { issues: readonly { path: PropertyKey[]; message: string }[] } }
}

async function readBody<T>(request: IncomingMessage, schema: Schema<T>): Promise<T> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.byteLength
    if (size > MAX_BODY_BYTES) throw new ApiError('body_too_large', `A request may have ${MAX_BODY_BYTES} bytes.`)
    parts.push(part)
  }
  let value: unknown
  try {
    value = JSON.parse(Buffer.concat(parts).toString())
  } catch (cause) {
    throw new ApiError('malformed_body', 'The body is not JSON.', { cause })
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.map(({ path, message }) => ({ path: `/${path.map(String).join('/')}`, message }))
  throw new ApiError('invalid_request', issues.map(issue => `${issue.path}: ${issue.message}`).join('; '), { issues })
}

async function send(response: ServerResponse, answer: Response): Promise<void> {
  response.writeHead(answer.status, {
    'content-type': answer.headers.get('content-type') ?? 'application/json',
    'cache-control': 'no-store',
  })
  if (!answer.body) {
    response.end()
    return
  }
  // An answer that breaks off on either side ends the other; the client sees a cut stream, which its format can tell from a whole one.
  await pipeline(Readable.fromWeb(answer.body as Parameters<typeof Readable.fromWeb>[0]), response).catch(() => {})
}
