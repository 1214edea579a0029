import type { ChatResponse, Message } from 'ollama'
import { messageOf } from '#server/lib/message-of.ts'
import type { ChatRequest } from '#shared/contract/index.ts'
import { completionOf, createChunks, toolCall, usageOf } from '../openai-answer.ts'

/** What the client throws at the end of a stream without `done`; it has no code for it. */
const UNFINISHED = 'Did not receive done'

const callsOf = ({ tool_calls }: Message) => (tool_calls ?? []).map(call => toolCall(call.function.name, call.function.arguments))
const finish = (reason: string | undefined, usedTools: boolean): string =>
  usedTools ? 'tool_calls' : reason === 'length' ? 'length' : 'stop'
const usage = ({ prompt_eval_count: input = 0, eval_count: output = 0 }: Partial<ChatResponse>) => usageOf(input, output)

/** One answer as OpenAI's `chat.completion`. */
export function completion(answer: ChatResponse, created: number): unknown {
  const { message, model } = answer
  const calls = callsOf(message)
  const thought = message.thinking ? { reasoning_content: message.thinking } : {}
  const reason = finish(answer.done_reason, calls.length > 0)
  return completionOf(
    { content: message.content, ...thought, tool_calls: calls },
    { model, created, reason, usage: usage(answer) },
  )
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
  const chunks = createChunks(request, created)
  let callCount = 0
  let last: ChatResponse | null = null
  let count = 0
  try {
    yield chunks.begin()
    for await (const part of parts) {
      last = part
      count += 1
      const { content, thinking } = part.message
      if (thinking) yield chunks.more({ reasoning_content: thinking })
      if (content) yield chunks.more({ content })
      const calls = callsOf(part.message).map((call, index) => ({ index: callCount + index, ...call }))
      if (calls.length > 0) yield chunks.more({ tool_calls: calls })
      callCount += calls.length
    }
  } catch (error) {
    const message = messageOf(error)
    if (!message.startsWith(UNFINISHED)) {
      yield chunks.failed(`Ollama failed: ${message}`)
      return
    }
  } finally {
    // Its last word has the counts; without it, every part that came is a token.
    used(last?.prompt_eval_count ?? 0, last?.eval_count ?? count)
  }
  yield* chunks.end(finish(last?.done_reason, callCount > 0), usage(last ?? {}))
}
