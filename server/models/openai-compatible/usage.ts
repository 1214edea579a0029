import { createParser } from 'eventsource-parser'
import * as z from 'zod'

const count = z.int().min(0).catch(0)
/** Tokens of one answer; what is missing or no count is 0. */
export const Usage = z.looseObject({ prompt_tokens: count, completion_tokens: count })
export type Usage = z.infer<typeof Usage>

const Chunk = z.looseObject({ choices: z.array(z.unknown()).optional(), usage: Usage.nullish() })
/** Longest event, characters; a chunk of a completion has a few hundred. */
const MAX_EVENT = 16 * 1024 * 1024

/**
 * Lets a stream of chat completion chunks through event by event, and tells of the usage that comes in it when it ends, however it
 * ends. The usage comes last, so of a stream that breaks off the chunks are counted, each of which is about a token. The chunk that
 * carries nothing but usage is let through only to a caller that asked for it: we ask for it always.
 */
export async function* watchUsage(
  body: AsyncIterable<Uint8Array>,
  { used, passUsage }: { used: (usage: Usage) => void; passUsage: boolean },
): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder()
  const encoder = new TextEncoder()
  let usage: Usage | null = null
  let chunks = 0
  let ready = ''
  const parser = createParser({
    maxBufferSize: MAX_EVENT,
    onEvent({ data }) {
      // Most chunks carry no usage, and reading each would be most of the work.
      const chunk = data.includes('"usage"') ? Chunk.safeParse(parse(data)).data : undefined
      if (chunk?.usage) usage = chunk.usage
      if (data !== '[DONE]') chunks += 1
      const isOnlyUsage = chunk?.usage && chunk.choices?.length === 0
      if (!isOnlyUsage || passUsage) ready += `data: ${data.replaceAll('\n', '\ndata: ')}\n\n`
    },
    // Comments keep a connection alive while a model thinks.
    onComment(comment) {
      ready += `: ${comment}\n\n`
    },
    onError(error) {
      if (error.type === 'max-buffer-size-exceeded') throw error
    },
  })
  try {
    for await (const bytes of body) {
      parser.feed(decoder.decode(bytes, { stream: true }))
      if (ready === '') continue
      yield encoder.encode(ready)
      ready = ''
    }
    // Some leave out the empty line after the last event.
    parser.feed('\n\n')
    if (ready !== '') yield encoder.encode(ready)
  } finally {
    used(usage ?? Usage.parse({ completion_tokens: chunks }))
  }
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    return null
  }
}
