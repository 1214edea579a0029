import { createParser } from 'eventsource-parser'
import * as z from 'zod'

const Chunk = z.looseObject({
  choices: z.array(z.unknown()).optional(),
  usage: z.looseObject({ prompt_tokens: z.int().default(0), completion_tokens: z.int().default(0) }).nullish(),
})

/**
 * Lets a stream of chat completion chunks through, and tells of the usage that comes in it. The chunk that carries nothing else is
 * let through only to a caller that asked for it: we ask for it always.
 */
export function watchUsage({
  used,
  passUsage,
}: {
  used: (inputTokens: number, outputTokens: number) => void
  passUsage: boolean
}): TransformStream<Uint8Array, Uint8Array> {
  const decoder = new TextDecoder()
  const encoder = new TextEncoder()
  let counts = { input: 0, output: 0 }
  let push: (text: string) => void = () => {}
  const parser = createParser({
    onEvent({ data }) {
      const chunk = Chunk.safeParse(parse(data))
      const usage = chunk.data?.usage
      if (usage) counts = { input: usage.prompt_tokens, output: usage.completion_tokens }
      const isOnlyUsage = usage && chunk.data?.choices?.length === 0
      if (!isOnlyUsage || passUsage) push(`data: ${data}\n\n`)
    },
  })
  return new TransformStream({
    transform(bytes, controller) {
      push = text => controller.enqueue(encoder.encode(text))
      parser.feed(decoder.decode(bytes, { stream: true }))
    },
    flush() {
      used(counts.input, counts.output)
    },
  })
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    return null
  }
}
