import * as z from 'zod'
import type { Clock } from '#server/lib/clock.ts'
import { ApiError } from '#shared/contract/index.ts'
import type { ModelInfo } from '#shared/model/index.ts'
import type { ModelCall, ModelProvider } from '../index.ts'
import { watchUsage } from './usage.ts'

/** Largest answer that does not stream, bytes. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024

const ModelList = z.looseObject({ data: z.array(z.looseObject({ id: z.string(), created: z.int().optional() })) })
const ProviderError = z.looseObject({
  error: z.looseObject({ message: z.string(), type: z.string().optional(), code: z.unknown().optional() }),
})

/**
 * Any server that speaks OpenAI's wire format: requests and answers pass through with the key put on, which stays here.
 * @param baseUrl up to and including `/v1`.
 * @param models names to offer where the server cannot list its own.
 */
export function openAiProvider(input: {
  id: string
  baseUrl: string
  apiKey: string | null
  models: readonly string[]
  clock: Clock
}): ModelProvider {
  const { id, apiKey, clock } = input
  const base = input.baseUrl.replace(/\/+$/, '')
  const info = (model: string, created = 0): ModelInfo => ({ id: model, object: 'model', created, owned_by: id })

  async function ask(path: string, signal: AbortSignal, body?: unknown): Promise<Response> {
    try {
      return await fetch(base + path, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { 'content-type': 'application/json', ...(apiKey === null ? {} : { authorization: `Bearer ${apiKey}` }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        // A redirect would carry the key to wherever the answer says.
        redirect: 'error',
        signal,
      })
    } catch (cause) {
      if (signal.aborted) throw cause
      throw new ApiError('provider_failed', `Provider ${id} could not be reached: ${reasonOf(cause)}`, {
        cause,
        remedy: 'Is it running, and is its address right? See `skein doctor`.',
      })
    }
  }

  /** Passes a refusal on in the provider's words, but none of its headers. */
  async function refusal(response: Response): Promise<Response> {
    const parsed = ProviderError.safeParse(await response.json().catch(() => null))
    const message = parsed.success ? parsed.data.error.message : `it answered ${response.status}`
    const clean = apiKey === null ? message : message.replaceAll(apiKey, '[key]')
    // Its own key, its own limits: the caller can do nothing about those.
    if (!parsed.success || [401, 403].includes(response.status) || response.status >= 500)
      throw new ApiError('provider_failed', `Provider ${id} refused: ${clean}`)
    return Response.json(
      { error: { message: clean, type: parsed.data.error.type ?? 'invalid_request_error' } },
      { status: response.status },
    )
  }

  async function pass(
    path: string,
    request: Readonly<Record<string, unknown>> & { model: string },
    call: ModelCall,
  ): Promise<Response> {
    const before = clock.monotonic()
    const isStream = request.stream === true
    const wantsUsage = z.looseObject({ include_usage: z.literal(true) }).safeParse(request.stream_options).success
    const body = isStream
      ? { ...request, stream_options: { ...(request.stream_options as object | undefined), include_usage: true } }
      : request
    const response = await ask(path, call.signal, body)
    if (!response.ok) return refusal(response)
    const used = (inputTokens: number, outputTokens: number) =>
      call.used({
        provider: id,
        model: request.model,
        inputTokens,
        outputTokens,
        durationMs: Math.round(clock.monotonic() - before),
      })
    if (isStream && response.body) {
      const stream = response.body.pipeThrough(watchUsage({ used, passUsage: wantsUsage }))
      return new Response(stream, { headers: { 'content-type': 'text/event-stream' } })
    }
    const answer = await readBounded(response, id)
    const usage = z
      .looseObject({ usage: z.looseObject({ prompt_tokens: z.int().default(0), completion_tokens: z.int().default(0) }) })
      .safeParse(answer)
    used(usage.data?.usage.prompt_tokens ?? 0, usage.data?.usage.completion_tokens ?? 0)
    return Response.json(answer)
  }

  return {
    id,
    async list(signal) {
      const named = input.models.map(model => info(model))
      if (named.length > 0) return named
      const response = await ask('/models', signal)
      const parsed = ModelList.safeParse(await response.json().catch(() => null))
      if (!response.ok || !parsed.success)
        throw new ApiError('provider_failed', `Provider ${id} did not list its models (it answered ${response.status}).`)
      return parsed.data.data.map(model => info(model.id, model.created))
    },
    chat: (request, call) => pass('/chat/completions', request, call),
    embed: (request, call) => pass('/embeddings', request, call),
  }
}

async function readBounded(response: Response, id: string): Promise<unknown> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of response.body ?? []) {
    size += part.byteLength
    if (size > MAX_ANSWER_BYTES) throw new ApiError('provider_failed', `Provider ${id} sent more than ${MAX_ANSWER_BYTES} bytes.`)
    parts.push(part)
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString())
  } catch (cause) {
    throw new ApiError('provider_failed', `Provider ${id} did not answer in JSON.`, { cause })
  }
}

/** fetch says only "fetch failed"; the reason is one level down. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error
    ? error.cause.message || ('code' in error.cause ? String(error.cause.code) : error.message)
    : error.message
}
