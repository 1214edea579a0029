import { randomUUID } from 'node:crypto'
import { createParser } from 'eventsource-parser'
import * as z from 'zod'

/** What a model said in one turn. */
export interface Answer {
  readonly text: string
  readonly thought: string
  readonly calls: readonly ToolCall[]
  /** Whether it ran into the limit of its length. */
  readonly isCut: boolean
}
export interface ToolCall {
  readonly id: string
  readonly name: string
  /** JSON, if the model got it right. */
  readonly arguments: string
}

/** The answer broke off, or was none; asking again may help. */
export class BrokenAnswer extends Error {}

const Delta = z.looseObject({
  content: z.string().nullish(),
  reasoning_content: z.string().nullish(),
  // What OpenRouter and Ollama's OpenAI API call it.
  reasoning: z.string().nullish(),
  tool_calls: z
    .array(
      z.looseObject({
        index: z.int().min(0).optional(),
        id: z.string().nullish(),
        function: z.looseObject({ name: z.string().nullish(), arguments: z.string().nullish() }).optional(),
      }),
    )
    .nullish(),
})
const choice = { finish_reason: z.string().nullish() }
const Chunk = z.union([
  z.looseObject({ error: z.union([z.string(), z.looseObject({ message: z.string() })]) }),
  z.looseObject({ choices: z.array(z.looseObject({ delta: Delta, ...choice })) }),
])
const Whole = z.looseObject({ choices: z.array(z.looseObject({ message: Delta, ...choice })).min(1) })

/** Longest event, characters. */
const MAX_EVENT = 16 * 1024 * 1024

/** Puts an answer together from its parts. */
function createAssembly(onText: (text: string) => void) {
  let text = ''
  let thought = ''
  let finish: string | null = null
  /** By the number the model gives them. */
  const calls = new Map<number, { id: string; name: string; arguments: string }>()
  let lastKey: number | null = null

  return {
    add(delta: z.infer<typeof Delta>, reason: string | null | undefined): void {
      thought += delta.reasoning_content ?? delta.reasoning ?? ''
      if (delta.content) {
        text += delta.content
        onText(delta.content)
      }
      for (const part of delta.tool_calls ?? []) {
        // Some servers number nothing, and send each call whole with an id.
        const key = part.index ?? (part.id || lastKey === null ? calls.size : lastKey)
        const call = calls.get(key) ?? { id: '', name: '', arguments: '' }
        calls.set(key, call)
        lastKey = key
        call.id ||= part.id ?? ''
        call.name += part.function?.name ?? ''
        call.arguments += part.function?.arguments ?? ''
      }
      finish = reason ?? finish
    },
    /** @throws {BrokenAnswer} when the model had not come to an end. */
    end(): Answer {
      if (finish === null) throw new BrokenAnswer('The answer broke off')
      // Ids tie answers of tools to calls; a model that gives none gets ours.
      const named = [...calls.values()]
        .filter(({ name }) => name !== '')
        .map(call => ({ ...call, id: call.id || `call_${randomUUID()}` }))
      return { text, thought, calls: named, isCut: finish === 'length' }
    },
  }
}

/**
 * Reads an answer that streams as server-sent events.
 * @param onText hears of text as it comes.
 * @throws {BrokenAnswer}
 */
export async function readStream(body: AsyncIterable<Uint8Array>, onText: (text: string) => void): Promise<Answer> {
  const assembly = createAssembly(onText)
  const decoder = new TextDecoder()
  const parser = createParser({
    maxBufferSize: MAX_EVENT,
    onEvent({ data }) {
      if (data === '[DONE]') return
      const chunk = Chunk.safeParse(parse(data))
      if (!chunk.success) throw new BrokenAnswer('The answer has a part that is no chat completion')
      if ('error' in chunk.data) {
        const { error } = chunk.data as { error: string | { message: string } }
        throw new BrokenAnswer(typeof error === 'string' ? error : error.message)
      }
      const [first] = (chunk.data as { choices: { delta: z.infer<typeof Delta>; finish_reason?: string | null }[] }).choices
      if (first) assembly.add(first.delta, first.finish_reason)
    },
    onError(error) {
      if (error.type === 'max-buffer-size-exceeded') throw new BrokenAnswer(error.message)
    },
  })
  for await (const bytes of body) parser.feed(decoder.decode(bytes, { stream: true }))
  parser.feed('\n\n')
  return assembly.end()
}

/** Reads an answer that came whole, from a server that does not stream. @throws {BrokenAnswer} */
export function readWhole(body: string, onText: (text: string) => void): Answer {
  const whole = Whole.safeParse(parse(body))
  const first = whole.data?.choices[0]
  if (!first) throw new BrokenAnswer('The answer is no chat completion')
  const assembly = createAssembly(onText)
  assembly.add(first.message, first.finish_reason ?? 'stop')
  return assembly.end()
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
