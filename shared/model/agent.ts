import * as z from 'zod'

/** An agent as this node knows it. */
export const AgentInfo = z
  .strictObject({
    id: z.string(),
    title: z.string(),
    kind: z.enum(['command', 'builtin', 'acp']),
    usable: z.boolean(),
    command: z.string().nullable().describe('The program found on this machine.'),
    version: z.string().nullable(),
    detail: z.string().describe('Why it is usable or not.'),
    remedy: z.string().nullable().describe('How to get it, when it is missing.'),
  })
  .meta({ id: 'AgentInfo' })
export type AgentInfo = z.infer<typeof AgentInfo>

/** A model in the shape of OpenAI's `GET /v1/models`. */
export const ModelInfo = z
  .strictObject({
    id: z.string(),
    object: z.literal('model'),
    created: z.int(),
    owned_by: z.string().describe('Id of the provider.'),
  })
  .meta({ id: 'ModelInfo' })
export type ModelInfo = z.infer<typeof ModelInfo>
