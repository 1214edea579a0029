import * as z from 'zod'
import { ApiError, type ChatRequest } from '#shared/contract/index.ts'
import type { ModelQuestion } from '#shared/model/index.ts'

/** The parts of OpenAI's request that an editor's models have a word for; https://platform.openai.com/docs/api-reference/chat. */
const Content = z.union([z.string(), z.array(z.looseObject({ type: z.string(), text: z.string().optional() }))]).nullish()
const ChatMessage = z.looseObject({
  role: z.string(),
  content: Content,
  tool_calls: z
    .array(z.looseObject({ id: z.string(), function: z.looseObject({ name: z.string(), arguments: z.string() }) }))
    .nullish(),
  tool_call_id: z.string().optional(),
})
const Tool = z.looseObject({
  function: z.looseObject({
    name: z.string(),
    description: z.string().nullish(),
    parameters: z.record(z.string(), z.unknown()).nullish(),
  }),
})
const Named = z.looseObject({ function: z.looseObject({ name: z.string() }) })
const Options = z.looseObject({
  messages: z.array(ChatMessage),
  tools: z.array(Tool).nullish(),
  tool_choice: z.union([z.enum(['none', 'auto', 'required']), Named]).nullish(),
})
type ChatMessage = z.infer<typeof ChatMessage>
type Message = ModelQuestion['messages'][number]

/** What else of a request may mean something to a model of an editor. */
const OPTIONS = ['temperature', 'top_p', 'stop', 'seed', 'max_tokens', 'max_completion_tokens', 'reasoning_effort'] as const

/** OpenAI's request in an editor's words. @throws {ApiError} `invalid_request` for what is not in OpenAI's form, and for pictures. */
export function toQuestion(request: ChatRequest): Omit<ModelQuestion, 'id'> {
  const parsed = Options.safeParse(request)
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => ({ path: `/${path.join('/')}`, message }))
    throw new ApiError('invalid_request', 'The conversation is not in the form of OpenAI’s chat completions.', { issues })
  }
  const { tool_choice: choice, tools, messages } = parsed.data
  const isNamed = typeof choice === 'object' && choice !== null
  const offered = choice === 'none' ? [] : (tools ?? [])
  return {
    model: request.model,
    messages: joinAnswers(messages.map(toMessage)),
    tools: offered
      // An editor can ask for a tool, but not for this one: so it is shown no other.
      .filter(tool => !isNamed || tool.function.name === choice.function.name)
      .map(({ function: { name, description, parameters } }) => ({
        name,
        description: description ?? '',
        inputSchema: parameters ?? { type: 'object', properties: {} },
      })),
    mustUseTool: isNamed || choice === 'required',
    options: Object.fromEntries(OPTIONS.flatMap(name => (request[name] == null ? [] : [[name, request[name]]]))),
  }
}

function toMessage({ role, content, tool_calls, tool_call_id }: ChatMessage): Message {
  const text = textOf(content)
  if (role === 'tool') return { role: 'user', parts: [{ kind: 'answer', id: tool_call_id ?? '', text }] }
  const calls = (tool_calls ?? []).map(({ id, function: { name, arguments: input } }) => ({
    kind: 'call' as const,
    ...{ id, name, input: inputOf(input) },
  }))
  return {
    role: role === 'assistant' ? 'assistant' : 'user',
    parts: [...(text === '' && calls.length > 0 ? [] : [{ kind: 'text' as const, text }]), ...calls],
  }
}

function textOf(content: z.infer<typeof Content>): string {
  if (typeof content === 'string') return content
  return (content ?? [])
    .map(({ type, text }) => {
      if (type === 'text' && text !== undefined) return text
      throw new ApiError('invalid_request', `Models of an editor take text only, and the conversation has a part "${type}".`, {
        remedy: 'Use another model for pictures and sounds.',
      })
    })
    .join('\n')
}

/** Answers to calls of one turn belong together: some models refuse a turn of which one is missing. */
function joinAnswers(messages: readonly Message[]): Message[] {
  const isAnswer = (message: Message | undefined) => message?.parts.every(({ kind }) => kind === 'answer') ?? false
  const joined: Message[] = []
  for (const message of messages) {
    const last = joined.at(-1)
    if (last && isAnswer(last) && isAnswer(message)) last.parts.push(...message.parts)
    else joined.push({ role: message.role, parts: [...message.parts] })
  }
  return joined
}

/** What a model got wrong in its own call, it is shown as having said nothing. */
function inputOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text || '{}')
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
