import { randomUUID } from 'node:crypto'
import * as z from 'zod'
import { messageOf } from '#server/lib/message-of.ts'
import type { ChatRequest } from '#shared/contract/index.ts'
import type { ModelPart } from '#shared/model/index.ts'

const StreamOptions = z.looseObject({ include_usage: z.boolean().optional() })

export interface Tokens {
  readonly inputTokens: number
  readonly outputTokens: number
}
export interface Told {
  readonly request: ChatRequest
  /** Seconds since 1970. */
  readonly created: number
  /** Asked when all parts have come. */
  readonly tokens: () => Tokens
}

const usageOf = ({ inputTokens, outputTokens }: Tokens) => ({
  prompt_tokens: inputTokens,
  completion_tokens: outputTokens,
  total_tokens: inputTokens + outputTokens,
})
const toolCall = ({ id, name, input }: Extract<ModelPart, { kind: 'call' }>) => ({
  id: id || `call_${randomUUID()}`,
  type: 'function',
  function: { name, arguments: JSON.stringify(input) },
})
const finish = (calls: number): string => (calls > 0 ? 'tool_calls' : 'stop')

/** An answer as OpenAI's `chat.completion`. @throws what the parts throw */
export async function completion(parts: AsyncIterable<ModelPart>, { request, created, tokens }: Told): Promise<unknown> {
  let content = ''
  const calls: ReturnType<typeof toolCall>[] = []
  for await (const part of parts) {
    if (part.kind === 'text') content += part.text
    else calls.push(toolCall(part))
  }
  const message = { role: 'assistant', content, ...(calls.length === 0 ? {} : { tool_calls: calls }) }
  return {
    ...{ id: `chatcmpl-${randomUUID()}`, object: 'chat.completion', created, model: request.model },
    choices: [{ index: 0, message, finish_reason: finish(calls.length) }],
    usage: usageOf(tokens()),
  }
}

/** An answer as server-sent `chat.completion.chunk`s, ended by `[DONE]`; by an error in OpenAI's form where the editor fails half way. */
export async function* completionChunks(
  parts: AsyncIterable<ModelPart>,
  { request, created, tokens }: Told,
): AsyncGenerator<Uint8Array, void> {
  const encoder = new TextEncoder()
  const head = { id: `chatcmpl-${randomUUID()}`, object: 'chat.completion.chunk', created, model: request.model }
  const data = (text: string) => encoder.encode(`data: ${text}\n\n`)
  const frame = (body: object) => data(JSON.stringify({ ...head, ...body }))
  const choice = (delta: object, reason: string | null = null) => frame({ choices: [{ index: 0, delta, finish_reason: reason }] })
  let calls = 0
  try {
    yield choice({ role: 'assistant', content: '' })
    for await (const part of parts)
      yield choice(part.kind === 'text' ? { content: part.text } : { tool_calls: [{ index: calls++, ...toolCall(part) }] })
  } catch (error) {
    yield data(JSON.stringify({ error: { message: messageOf(error), type: 'provider_failed' } }))
    return
  }
  yield choice({}, finish(calls))
  if (StreamOptions.safeParse(request.stream_options).data?.include_usage) yield frame({ choices: [], usage: usageOf(tokens()) })
  yield data('[DONE]')
}
