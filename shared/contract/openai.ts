import * as z from 'zod'

/** OpenAI's request bodies: the fields this node reads; everything else goes on to the provider as it came. */
export const ChatRequest = z
  .looseObject({
    model: z.string().min(1).max(200),
    messages: z.array(z.looseObject({ role: z.string() })).min(1),
    stream: z.boolean().optional(),
  })
  .meta({ id: 'ChatRequest' })
export type ChatRequest = z.infer<typeof ChatRequest>
export const EmbeddingRequest = z
  .looseObject({ model: z.string().min(1).max(200), input: z.union([z.string(), z.array(z.string()).min(1).max(2048)]) })
  .meta({ id: 'EmbeddingRequest' })
export type EmbeddingRequest = z.infer<typeof EmbeddingRequest>
