import * as z from 'zod'
import type { Clock } from '#server/lib/clock.ts'
import { ApiError } from '#shared/contract/index.ts'
import type { ModelInfo } from '#shared/model/index.ts'
import { parseEndpoint, readBounded, reasonOf, send } from '../http.ts'
import type { ModelCall, ModelProvider } from '../index.ts'
import { passRefusal } from '../refusal.ts'
import { Usage, watchUsage } from './usage.ts'

const ModelList = z.looseObject({ data: z.array(z.looseObject({ id: z.string(), created: z.int().optional().catch(0) })) })
const AnswerWithUsage = z.looseObject({ usage: Usage })

/**
 * Any server that speaks OpenAI's wire format: requests and answers pass through with the key put on, which stays here.
 * @param input.baseUrl up to and including `/v1`.
 * @param input.models names to offer where the server cannot list its own.
 */
export function openAiProvider(input: {
  id: string
  baseUrl: string
  apiKey: string | null
  models: readonly string[]
  clock: Clock
}): ModelProvider {
  const { id, apiKey, clock } = input
  const { url, authorization } = parseEndpoint(input.baseUrl)
  const name = `Provider ${id}`
  const credentials = apiKey === null ? authorization : `Bearer ${apiKey}`
  const info = (model: string, created = 0): ModelInfo => ({ id: model, object: 'model', created, owned_by: id })

  async function ask(path: string, signal: AbortSignal, body?: unknown): Promise<Response> {
    const headers = { 'content-type': 'application/json', ...(credentials === null ? {} : { authorization: credentials }) }
    const text = body === undefined ? undefined : JSON.stringify(body)
    try {
      return await send(url + path, { method: text === undefined ? 'GET' : 'POST', headers, body: text, signal })
    } catch (cause) {
      if (signal.aborted) throw cause
      throw new ApiError('provider_failed', `${name} could not be reached at ${url}: ${reasonOf(cause)}`, {
        cause,
        remedy: 'Is it running, and is its address right? See `skein doctor`.',
      })
    }
  }

  async function parsed(response: Response): Promise<unknown> {
    const text = await readBounded(response)
    try {
      return JSON.parse(text)
    } catch {
      // The parser's message quotes what it could not read.
      throw new ApiError('provider_failed', `${name} did not answer in JSON.`)
    }
  }

  async function pass(
    path: string,
    request: Readonly<Record<string, unknown>> & { model: string },
    call: ModelCall,
  ): Promise<Response> {
    const before = clock.monotonic()
    const used = ({ prompt_tokens: inputTokens, completion_tokens: outputTokens }: Usage) =>
      call.used({
        provider: id,
        model: request.model,
        inputTokens,
        outputTokens,
        durationMs: Math.round(clock.monotonic() - before),
      })
    const isStream = request.stream === true
    const streamOptions = z.looseObject({ include_usage: z.boolean().optional() }).safeParse(request.stream_options).data
    const body = isStream ? { ...request, stream_options: { ...streamOptions, include_usage: true } } : request
    const response = await ask(path, call.signal, body)
    if (!response.ok) return passRefusal(response, name, apiKey)
    // Some servers answer whole although asked for a stream.
    if (isStream && response.body && response.headers.get('content-type')?.startsWith('text/event-stream')) {
      const stream = watchUsage(response.body, { used, passUsage: streamOptions?.include_usage === true })
      return new Response(ReadableStream.from(stream), { headers: { 'content-type': 'text/event-stream' } })
    }
    const answer = await parsed(response)
    used(AnswerWithUsage.safeParse(answer).data?.usage ?? Usage.parse({}))
    return Response.json(answer)
  }

  return {
    id,
    async list(signal) {
      if (input.models.length > 0) return input.models.map(model => info(model))
      const response = await ask('/models', signal)
      if (!response.ok) await passRefusal(response, name, apiKey)
      const list = ModelList.safeParse(response.ok ? await parsed(response) : null)
      if (list.success) return list.data.data.map(model => info(model.id, model.created))
      throw new ApiError('provider_failed', `${name} did not list its models (it answered ${response.status}).`, {
        remedy: 'Name its models in skein.yaml (`models.providers[].models`).',
      })
    },
    chat: (request, call) => pass('/chat/completions', request, call),
    embed: (request, call) => pass('/embeddings', request, call),
  }
}
