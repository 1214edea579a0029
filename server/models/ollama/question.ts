import type { Message, ChatRequest as OllamaRequest, Tool } from 'ollama'
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
  tool_choice: z.unknown().optional(),
})

type Question = Omit<OllamaRequest, 'stream'> & { readonly truncate: false; readonly messages: Message[] }

/** OpenAI's request in Ollama's words. @throws {ApiError} `invalid_request` for a conversation that is not in OpenAI's form. */
export function toOllama(request: ChatRequest): Question {
  const parsed = Options.safeParse(request)
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => ({ path: `/${path.join('/')}`, message }))
    throw new ApiError('invalid_request', 'The conversation is not in the form of OpenAI’s chat completions.', { issues })
  }
  const {
    messages,
    tool_choice: choice,
    temperature,
    top_p,
    seed,
    stop,
    max_tokens,
    max_completion_tokens,
    response_format,
  } = parsed.data
  const tools = choice === 'none' ? undefined : parsed.data.tools
  const limit = max_completion_tokens ?? max_tokens
  /** Ollama names the tool in a tool's answer, OpenAI the call. */
  const toolOf = new Map(
    messages.flatMap(({ tool_calls }) => (tool_calls ?? []).map(call => [call.id ?? '', call.function.name] as const)),
  )
  const format = response_format?.json_schema?.schema ?? (response_format?.type === 'json_object' ? 'json' : undefined)
  return {
    model: request.model,
    // Too long is an error, as it is with OpenAI; Ollama would otherwise drop the oldest messages in silence.
    truncate: false,
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
