import { messageOf } from '#server/lib/message-of.ts'
import type { ChatRequest } from '#shared/contract/index.ts'
import type { ModelPart } from '#shared/model/index.ts'
import { completionOf, createChunks, toolCall, usageOf } from '../openai-answer.ts'

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

const usage = ({ inputTokens, outputTokens }: Tokens) => usageOf(inputTokens, outputTokens)
const callOf = ({ id, name, input }: Extract<ModelPart, { kind: 'call' }>) => toolCall(name, input, id)
const finish = (calls: number): string => (calls > 0 ? 'tool_calls' : 'stop')

/** An answer as OpenAI's `chat.completion`. @throws what the parts throw */
export async function completion(parts: AsyncIterable<ModelPart>, { request, created, tokens }: Told): Promise<unknown> {
  let content = ''
  const calls: ReturnType<typeof toolCall>[] = []
  for await (const part of parts) {
    if (part.kind === 'text') content += part.text
    else calls.push(callOf(part))
  }
  const told = { model: request.model, created, reason: finish(calls.length), usage: usage(tokens()) }
  return completionOf({ content, tool_calls: calls }, told)
}

/** An answer as server-sent `chat.completion.chunk`s, ended by `[DONE]`; by an error in OpenAI's form where the editor fails half way. */
export async function* completionChunks(
  parts: AsyncIterable<ModelPart>,
  { request, created, tokens }: Told,
): AsyncGenerator<Uint8Array, void> {
  const chunks = createChunks(request, created)
  let calls = 0
  try {
    yield chunks.begin()
    for await (const part of parts)
      yield chunks.more(part.kind === 'text' ? { content: part.text } : { tool_calls: [{ index: calls++, ...callOf(part) }] })
  } catch (error) {
    yield chunks.failed(messageOf(error))
    return
  }
  yield* chunks.end(finish(calls), usage(tokens()))
}
