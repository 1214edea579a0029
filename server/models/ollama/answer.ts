import { randomUUID } from 'node:crypto'
import type { ChatResponse, Message } from 'ollama'
import * as z from 'zod'
import { messageOf } from '#server/lib/message-of.ts'
import type { ChatRequest } from '#shared/contract/index.ts'

const StreamOptions = z.looseObject({ include_usage: z.boolean().optional() })
/** What the client throws at the end of a stream without `done`; it has no code for it. */
const UNFINISHED = 'Did not receive done'

type Calls = NonNullable<Message['tool_calls']>
const toolCalls = (calls: Calls, from = 0) =>
  calls.map((call, index) => ({
    index: from + index,
    id: `call_${randomUUID()}`,
    type: 'function',
    function: { name: call.function.name, arguments: JSON.stringify(call.function.arguments) },
  }))
const finish = (reason: string | undefined, usedTools: boolean): string =>
  usedTools ? 'tool_calls' : reason === 'length' ? 'length' : 'stop'
const usageOf = ({ prompt_eval_count: input = 0, eval_count: output = 0 }: Partial<ChatResponse>) => ({
  prompt_tokens: input,
  completion_tokens: output,
  total_tokens: input + output,
})

/** One answer as OpenAI's `chat.completion`. */
export function completion(answer: ChatResponse, created: number): unknown {
  const { message } = answer
  const calls = toolCalls(message.tool_calls ?? []).map(({ index: _, ...call }) => call)
  return {
    id: `chatcmpl-${randomUUID()}`,
    object: 'chat.completion',
    created,
    model: answer.model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: message.content,
          ...(message.thinking ? { reasoning_content: message.thinking } : {}),
          ...(calls.length === 0 ? {} : { tool_calls: calls }),
        },
        finish_reason: finish(answer.done_reason, calls.length > 0),
      },
    ],
    usage: usageOf(answer),
  }
}

/**
 * A streamed answer as server-sent `chat.completion.chunk`s, ended by `[DONE]`; by an error in OpenAI's form where Ollama fails half
 * way. Ollama also just stops, without its last word, when a model repeats itself: then the answer is what there is.
 * @param created seconds since 1970.
 */
export async function* completionChunks(
  parts: AsyncIterable<ChatResponse>,
  {
    request,
    created,
    used,
  }: { request: ChatRequest; created: number; used: (inputTokens: number, outputTokens: number) => void },
): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder()
  const head = { id: `chatcmpl-${randomUUID()}`, object: 'chat.completion.chunk', created, model: request.model }
  const data = (text: string) => encoder.encode(`data: ${text}\n\n`)
  const frame = (body: object) => data(JSON.stringify({ ...head, ...body }))
  const choice = (delta: object, reason: string | null = null) => frame({ choices: [{ index: 0, delta, finish_reason: reason }] })
  let callCount = 0
  let last: ChatResponse | null = null
  let count = 0
  try {
    yield choice({ role: 'assistant', content: '' })
    for await (const part of parts) {
      last = part
      count += 1
      const { content, thinking, tool_calls: calls = [] } = part.message
      if (thinking) yield choice({ reasoning_content: thinking })
      if (content) yield choice({ content })
      if (calls.length > 0) yield choice({ tool_calls: toolCalls(calls, callCount) })
      callCount += calls.length
    }
  } catch (error) {
    const message = messageOf(error)
    if (!message.startsWith(UNFINISHED)) {
      yield data(JSON.stringify({ error: { message: `Ollama failed: ${message}`, type: 'provider_failed' } }))
      return
    }
  } finally {
    // Its last word has the counts; without it, every part that came is a token.
    used(last?.prompt_eval_count ?? 0, last?.eval_count ?? count)
  }
  yield choice({}, finish(last?.done_reason, callCount > 0))
  if (StreamOptions.safeParse(request.stream_options).data?.include_usage)
    yield frame({ choices: [], usage: usageOf(last ?? {}) })
  yield data('[DONE]')
}
