import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ApiError, operations } from '#shared/contract/index.ts'
import type { Budget, BudgetedCall } from './budget.ts'
import type { GatewaySpec } from './port.ts'
import { parseRequest } from './request.ts'

/** Conversations carry whole files and images. */
const MAX_BODY_BYTES = 20 * 1000 * 1000
/** Headers of a model's answer that a client needs; all others stay here. */
const PASSED = ['content-type', 'retry-after']

interface Context {
  readonly spec: GatewaySpec
  readonly budget: Budget
}

/** Answers the operations that a job may call: those of the table with access `job`. @throws {ApiError} */
export async function answerModels(request: IncomingMessage, response: ServerResponse, { spec, budget }: Context): Promise<void> {
  const { models } = spec
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  const call = { signal: gone.signal, used: spec.used }
  const path = request.url?.split('?', 1)[0]
  const asks = ({ method, path: own }: { method: string; path: string }) => request.method === method && path === own

  using held = budget.begin()
  if (asks(operations.listModels)) {
    const { models: data } = await models.list(call.signal)
    return send(response, Response.json({ object: 'list', data }))
  }
  if (asks(operations.chat)) {
    const body = parseRequest(await readBody(request, held), operations.chat.body)
    return send(response, await models.chat(body, call))
  }
  if (asks(operations.embed)) {
    const body = parseRequest(await readBody(request, held), operations.embed.body)
    return send(response, await models.embed(body, call))
  }
  throw new ApiError(
    'not_found',
    `A job may not call ${request.method} ${path}; it has ${operations.listModels.path}, ${operations.chat.path} and ${operations.embed.path}.`,
  )
}

async function readBody(request: IncomingMessage, held: BudgetedCall): Promise<unknown> {
  const tooLarge = () => new ApiError('body_too_large', `A request may have ${MAX_BODY_BYTES} bytes.`)
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge()
  const parts: Buffer[] = []
  let size = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.byteLength
    if (size > MAX_BODY_BYTES) throw tooLarge()
    held.take(part.byteLength)
    parts.push(part)
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString())
  } catch (cause) {
    throw new ApiError('malformed_body', 'The body is not JSON.', { cause })
  }
}

async function send(response: ServerResponse, answer: Response): Promise<void> {
  const headers = PASSED.flatMap(name => {
    const value = answer.headers.get(name)
    return value === null ? [] : [[name, value] as const]
  })
  response.writeHead(answer.status, { ...Object.fromEntries(headers), 'cache-control': 'no-store' })
  if (!answer.body) {
    response.end()
    return
  }
  // An answer that breaks off on either side ends the other; the client sees a cut stream, which its format can tell from a whole one.
  await pipeline(Readable.fromWeb(answer.body as Parameters<typeof Readable.fromWeb>[0]), response).catch(() => {})
}
