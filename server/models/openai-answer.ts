import { randomUUID } from 'node:crypto'
import * as z from 'zod'
import type { ChatRequest } from '#shared/contract/index.ts'

const StreamOptions = z.looseObject({ include_usage: z.boolean().optional() })

export const usageOf = (inputTokens: number, outputTokens: number) => ({
  prompt_tokens: inputTokens,
  completion_tokens: outputTokens,
  total_tokens: inputTokens + outputTokens,
})
type Usage = ReturnType<typeof usageOf>

/** @param id empty: one is made up */
export const toolCall = (name: string, input: unknown, id = '') => ({
  id: id || `call_${randomUUID()}`,
  type: 'function',
  function: { name, arguments: JSON.stringify(input) },
})

/** A whole answer as OpenAI's `chat.completion`. @param told.created seconds since 1970 */
export function completionOf(
  message: { content: string; tool_calls: readonly object[]; reasoning_content?: string },
  told: { model: string; created: number; reason: string; usage: Usage },
) {
  const { tool_calls: calls, ...rest } = message
  return {
    id: `chatcmpl-${randomUUID()}`,
    object: 'chat.completion',
    created: told.created,
    model: told.model,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', ...rest, ...(calls.length === 0 ? {} : { tool_calls: calls }) },
        finish_reason: told.reason,
      },
    ],
    usage: told.usage,
  }
}

/** The words of an answer on its way: server-sent `chat.completion.chunk`s. @param created seconds since 1970 */
export function createChunks(request: ChatRequest, created: number) {
  const encoder = new TextEncoder()
  const head = { id: `chatcmpl-${randomUUID()}`, object: 'chat.completion.chunk', created, model: request.model }
  const data = (text: string) => encoder.encode(`data: ${text}\n\n`)
  const frame = (body: object) => data(JSON.stringify({ ...head, ...body }))
  const choice = (delta: object, reason: string | null = null) => frame({ choices: [{ index: 0, delta, finish_reason: reason }] })
  return {
    begin: () => choice({ role: 'assistant', content: '' }),
    more: (delta: object) => choice(delta),
    /** Ends what cannot be ended otherwise, in OpenAI's form of an error. */
    failed: (message: string) => data(JSON.stringify({ error: { message, type: 'provider_failed' } })),
    *end(reason: string, usage: Usage): Generator<Uint8Array, void> {
      yield choice({}, reason)
      if (StreamOptions.safeParse(request.stream_options).data?.include_usage) yield frame({ choices: [], usage })
      yield data('[DONE]')
    },
  }
}
