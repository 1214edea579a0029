import { randomUUID } from 'node:crypto'
import type { ChatResponse, Message, ChatRequest as OllamaRequest, Tool } from 'ollama'
import * as z from 'zod'
import { ApiError, type ChatRequest } from '#shared/contract/index.ts'

/** The parts of OpenAI's request that Ollama has a word for; https://platform.openai.com/docs/api-reference/chat. */
const TextPart = z.looseObject({ type: z.literal('text'), text: z.string() })
const ImagePart = z.looseObject({ type: z.literal('image_url'), image_url: z.looseObject({ url: z.string() }) })
const ChatMessage = z.looseObject({
  role: z.string(),
  content: z.union([z.string(), z.array(z.union([TextPart, ImagePart]))]).nullish(),
  tool_calls: z
    .array(z.looseObject({ id: z.string().optional(), function: z.looseObject({ name: z.string(), arguments: z.string() }) }))
    .optional(),
  tool_call_id: z.string().optional(),
})
const Options = z.looseObject({
  messages: z.array(ChatMessage),
  tools: z.array(z.unknown()).optional(),
  temperature: z.number().nullish(),
  top_p: z.number().nullish(),
  seed: z.int().nullish(),
  stop: z.union([z.string(), z.array(z.string())]).nullish(),
  max_tokens: z.int().nullish(),
  max_completion_tokens: z.int().nullish(),
  response_format: z
    .looseObject({ type: z.string(), json_schema: z.looseObject({ schema: z.looseObject({}) }).optional() })
    .nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().optional() }).nullish(),
})

type Question = Omit<OllamaRequest, 'stream'>

/** @throws {ApiError} `invalid_request` for a conversation that is not in OpenAI's form. */
export function toOllama(request: ChatRequest): Question {
  const parsed = Options.safeParse(request)
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => ({ path: `/${path.join('/')}`, message }))
    throw new ApiError('invalid_request', 'The conversation is not in the form of OpenAI’s chat completions.', { issues })
  }
  const { messages, tools, temperature, top_p, seed, stop, max_tokens, max_completion_tokens, response_format } = parsed.data
  const limit = max_completion_tokens ?? max_tokens
  /** Ollama names the tool in a tool's answer, OpenAI the call. */
  const toolOf = new Map(
    messages.flatMap(({ tool_calls }) => (tool_calls ?? []).map(call => [call.id ?? '', call.function.name] as const)),
  )
  const format = response_format?.json_schema?.schema ?? (response_format?.type === 'json_object' ? 'json' : undefined)
  return {
    model: request.model,
    messages: messages.map(message => toMessage(message, toolOf)),
    ...(tools === undefined ? {} : { tools: tools as Tool[] }),
    ...(format === undefined ? {} : { format }),
    options: {
      ...(temperature == null ? {} : { temperature }),
      ...(top_p == null ? {} : { top_p }),
      ...(seed == null ? {} : { seed }),
      ...(stop == null ? {} : { stop: [stop].flat() }),
      ...(limit == null ? {} : { num_predict: limit }),
    },
  }
}

function toMessage(
  { role, content, tool_calls, tool_call_id }: z.infer<typeof ChatMessage>,
  toolOf: ReadonlyMap<string, string>,
): Message {
  const parts = typeof content === 'string' ? [{ type: 'text' as const, text: content }] : (content ?? [])
  const images = parts.flatMap(part => ('image_url' in part ? [dataOf(part.image_url as { url: string })] : []))
  const calls = tool_calls?.map(call => ({
    function: { name: call.function.name, arguments: parseArguments(call.function.arguments) },
  }))
  const tool = tool_call_id === undefined ? undefined : toolOf.get(tool_call_id)
  return {
    // Newer models' name for the system's word.
    role: role === 'developer' ? 'system' : role,
    content: parts.flatMap(part => ('text' in part ? [part.text as string] : [])).join('\n'),
    ...(images.length === 0 ? {} : { images }),
    ...(calls === undefined ? {} : { tool_calls: calls }),
    ...(tool === undefined ? {} : { tool_name: tool }),
  }
}

function dataOf({ url }: { url: string }): string {
  const data = /^data:[^;,]+;base64,(.+)$/s.exec(url)?.[1]
  if (data !== undefined) return data
  throw new ApiError('invalid_request', 'Ollama takes images as data URLs in base64 only; it fetches nothing.')
}

function parseArguments(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text || '{}')
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

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
const seconds = (time: Date | string | undefined): number => Math.floor(new Date(time ?? 0).getTime() / 1000) || 0

/** One answer as OpenAI's `chat.completion`. */
export function completion(answer: ChatResponse): unknown {
  const { message } = answer
  const calls = toolCalls(message.tool_calls ?? []).map(({ index: _, ...call }) => call)
  return {
    id: `chatcmpl-${randomUUID()}`,
    object: 'chat.completion',
    created: seconds(answer.created_at),
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

/** A streamed answer as server-sent `chat.completion.chunk`s, ended by `[DONE]`. */
export async function* completionChunks(
  parts: AsyncIterable<ChatResponse>,
  request: ChatRequest,
  used: (inputTokens: number, outputTokens: number) => void,
): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder()
  const head = { id: `chatcmpl-${randomUUID()}`, object: 'chat.completion.chunk', created: 0, model: request.model }
  const frame = (body: object) => encoder.encode(`data: ${JSON.stringify({ ...head, ...body })}\n\n`)
  const choice = (delta: object, reason: string | null = null) => frame({ choices: [{ index: 0, delta, finish_reason: reason }] })
  const wantsUsage = Options.shape.stream_options.safeParse(request.stream_options).data?.include_usage === true
  let callCount = 0
  yield choice({ role: 'assistant', content: '' })
  for await (const part of parts) {
    head.created = seconds(part.created_at)
    const { content, thinking, tool_calls: calls = [] } = part.message
    if (thinking) yield choice({ reasoning_content: thinking })
    if (content) yield choice({ content })
    if (calls.length > 0) yield choice({ tool_calls: toolCalls(calls, callCount) })
    callCount += calls.length
    if (!part.done) continue
    used(part.prompt_eval_count ?? 0, part.eval_count ?? 0)
    yield choice({}, finish(part.done_reason, callCount > 0))
    if (wantsUsage) yield frame({ choices: [], usage: usageOf(part) })
  }
  yield encoder.encode('data: [DONE]\n\n')
}
