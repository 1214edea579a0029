import { Ollama } from 'ollama'
import type { Clock } from '#server/lib/clock.ts'
import { ApiError } from '#shared/contract/index.ts'
import type { ModelCall, ModelProvider } from '../index.ts'
import { completion, completionChunks, toOllama } from './translate.ts'

/** Ollama by its own API, which knows more than its OpenAI one (context length, keep-alive) and lists what is installed. */
export function ollamaProvider({ id, baseUrl, clock }: { id: string; baseUrl: string; clock: Clock }): ModelProvider {
  /** A client whose requests end with a signal; the library's own way ends all requests of a client. */
  const client = (signal: AbortSignal) =>
    new Ollama({ host: baseUrl, fetch: (input, init) => fetch(input, { ...init, signal, redirect: 'error' }) })

  async function attempt<T>(signal: AbortSignal, ask: (client: Ollama) => Promise<T>): Promise<T> {
    try {
      return await ask(client(signal))
    } catch (cause) {
      if (signal.aborted || cause instanceof ApiError) throw cause
      const reason = cause instanceof Error ? (cause.cause instanceof Error ? cause.cause.message : cause.message) : String(cause)
      throw new ApiError('provider_failed', `Ollama at ${baseUrl} did not answer: ${reason}`, {
        cause,
        remedy: 'Start it with `ollama serve`, or set OLLAMA_HOST.',
      })
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
      const { models } = await attempt(signal, ollama => ollama.list())
      return models.map(({ name, modified_at }) => ({
        id: name,
        object: 'model',
        created: Math.floor(new Date(modified_at).getTime() / 1000) || 0,
        owned_by: id,
      }))
    },
    async chat(request, call) {
      const used = counter(request.model, call)
      const question = toOllama(request)
      if (request.stream !== true) {
        const answer = await attempt(call.signal, ollama => ollama.chat({ ...question, stream: false }))
        used(answer.prompt_eval_count ?? 0, answer.eval_count ?? 0)
        return Response.json(completion(answer))
      }
      const parts = await attempt(call.signal, ollama => ollama.chat({ ...question, stream: true }))
      return new Response(ReadableStream.from(completionChunks(parts, request, used)), {
        headers: { 'content-type': 'text/event-stream' },
      })
    },
    async embed(request, call) {
      const used = counter(request.model, call)
      const answer = await attempt(call.signal, ollama => ollama.embed({ model: request.model, input: request.input }))
      const tokens = answer.prompt_eval_count ?? 0
      used(tokens, 0)
      return Response.json({
        object: 'list',
        model: request.model,
        data: answer.embeddings.map((embedding, index) => ({ object: 'embedding', index, embedding })),
        usage: { prompt_tokens: tokens, total_tokens: tokens },
      })
    },
  }
}
