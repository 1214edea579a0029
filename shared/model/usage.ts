import * as z from 'zod'

export const Usage = z
  .strictObject({
    requests: z.int().min(0),
    inputTokens: z.int().min(0),
    outputTokens: z.int().min(0),
    durationMs: z.int().min(0).describe('Time spent waiting for models.'),
  })
  .meta({ id: 'Usage' })
export type Usage = z.infer<typeof Usage>
export const NO_USAGE: Usage = { requests: 0, inputTokens: 0, outputTokens: 0, durationMs: 0 }
