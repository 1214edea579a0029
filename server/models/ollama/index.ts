import { Ollama } from 'ollama'
import * as z from 'zod'
import type { Clock } from '#server/lib/clock.ts'
import { ApiError } from '#shared/contract/index.ts'
import { parseEndpoint, reasonOf, send } from '../http.ts'
import type { ModelCall, ModelProvider } from '../index.ts'
import { passRefusal } from '../refusal.ts'
import { completion, completionChunks } from './answer.ts'
import { createWindows } from './window.ts'

const Encoding = z.looseObject({ encoding_format: z.enum(['float', 'base64']).catch('float') })
const Dimensions = z.looseObject({ dimensions: z.int().min(1).optional().catch(undefined) })

/** Ollama's refusal on its way out of the client, to be passed on as the answer. */
class Refused extends Error {
  readonly response: Response

  constructor(response: Response) {
    super('refused')
    this.response = response
  }
}

/** Ollama by its own API, which lists what is installed and lets us choose the context window; its OpenAI one does neither. */
export function ollamaProvider({ id, baseUrl, clock }: { id: string; baseUrl: string; clock: Clock }): ModelProvider {
  const { url, authorization } = parseEndpoint(baseUrl)
  const windows = createWindows()

  /** A client whose requests end with a signal; the library's own way ends all requests of a client. */
  const clientFor = (signal: AbortSignal) =>
    new Ollama({
      host: url,
      headers: authorization === null ? {} : { authorization },
      fetch: async (input, init = {}) => {
        const response = await send(String(input), {
          method: init.method as 'GET' | 'POST',
          headers: init.headers as Record<string, string>,
          body: init.body as string | undefined,
          signal,
        })
        // Before the library sees it, which prints to stdout what it makes of a refusal.
        if (!response.ok) throw new Refused(await passRefusal(response, `Ollama at ${url}`, null))
        return response
      },
    })

  async function attempt<T>(signal: AbortSignal, ask: (client: Ollama) => Promise<T>): Promise<T> {
    try {
      return await ask(clientFor(signal))
    } catch (cause) {
      if (signal.aborted || cause instanceof ApiError || cause instanceof Refused) throw cause
      throw new ApiError('provider_failed', `Ollama at ${url} did not answer: ${reasonOf(cause)}`, {
        cause,
        remedy: 'Start it with `ollama serve`, or set OLLAMA_HOST.',
      })
    }
  }

  /** Makes a refusal the answer. */
  async function answering(call: ModelCall, ask: (client: Ollama) => Promise<Response>): Promise<Response> {
    try {
      return await attempt(call.signal, ask)
    } catch (error) {
      if (error instanceof Refused) return error.response
      throw error
    }
  }

  const counter = (model: string, call: ModelCall) => {
    const before = clock.monotonic()
    return (inputTokens: number, outputTokens: number) =>
      call.used({ provider: id, model, inputTokens, outputTokens, durationMs: Math.round(clock.monotonic() - before) })
  }

  return {
    id,
    async list(signal) {
      const { models } = await attempt(signal, client => client.list())
      return models.map(({ name, modified_at }) => ({
        id: name,
        object: 'model',
        created: Math.floor(new Date(modified_at).getTime() / 1000) || 0,
        owned_by: id,
      }))
    },
    async chat(request, call) {
      const used = counter(request.model, call)
      const { toOllama } = await import('./question.ts')
      const question = toOllama(request)
      return answering(call, async client => {
        const window = await windows.choose(client, request.model, question)
        const options = { ...question.options, ...(window === undefined ? {} : { num_ctx: window }) }
        const created = Math.floor(clock.now() / 1000)
        if (request.stream !== true) {
          const answer = await client.chat({ ...question, options, stream: false })
          used(answer.prompt_eval_count ?? 0, answer.eval_count ?? 0)
          return Response.json(completion(answer, created))
        }
        const parts = await client.chat({ ...question, options, stream: true })
        return new Response(ReadableStream.from(completionChunks(parts, { request, created, used })), {
          headers: { 'content-type': 'text/event-stream' },
        })
      })
    },
    async embed(request, call) {
      const used = counter(request.model, call)
      const { dimensions } = Dimensions.parse(request)
      return answering(call, async client => {
        const answer = await client.embed({
          model: request.model,
          input: request.input,
          ...(dimensions === undefined ? {} : { dimensions }),
        })
        const tokens = answer.prompt_eval_count ?? 0
        used(tokens, 0)
        const isBase64 = Encoding.parse(request).encoding_format === 'base64'
        return Response.json({
          object: 'list',
          model: request.model,
          data: answer.embeddings.map((embedding, index) => ({
            object: 'embedding',
            index,
            embedding: isBase64 ? toBase64(embedding) : embedding,
          })),
          usage: { prompt_tokens: tokens, total_tokens: tokens },
        })
      })
    },
  }
}

/** Little-endian float32, which OpenAI's own clients ask for unless told otherwise. */
function toBase64(embedding: readonly number[]): string {
  const bytes = Buffer.alloc(embedding.length * 4)
  for (const [index, value] of embedding.entries()) bytes.writeFloatLE(value, index * 4)
  return bytes.toString('base64')
}
