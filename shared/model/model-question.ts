import * as z from 'zod'
import { OfferedModel } from './offered-model.ts'

const JsonObject = z.record(z.string(), z.unknown())
const Text = z.strictObject({ kind: z.literal('text'), text: z.string() })
const ToolCall = z.strictObject({ kind: z.literal('call'), id: z.string(), name: z.string(), input: JsonObject })
const ToolAnswer = z.strictObject({ kind: z.literal('answer'), id: z.string().describe('Of the call.'), text: z.string() })

/** A part of what a model says. */
export const ModelPart = z.discriminatedUnion('kind', [Text, ToolCall]).meta({ id: 'ModelPart' })
export type ModelPart = z.infer<typeof ModelPart>

/** What is asked of a model that an editor offers, in what editors have words for. */
export const ModelQuestion = z
  .strictObject({
    id: z.uuid(),
    model: OfferedModel,
    messages: z.array(
      z.strictObject({
        role: z.enum(['user', 'assistant']).describe('Editors have no `system`: its words come from `user`.'),
        parts: z.array(z.discriminatedUnion('kind', [Text, ToolCall, ToolAnswer])),
      }),
    ),
    tools: z.array(z.strictObject({ name: z.string(), description: z.string(), inputSchema: JsonObject })),
    mustUseTool: z.boolean(),
    options: JsonObject.describe('What a model may understand besides, by OpenAI’s names, such as `temperature`.'),
  })
  .meta({ id: 'ModelQuestion' })
export type ModelQuestion = z.infer<typeof ModelQuestion>

const tokens = z.int().min(0)
/** A piece of the answer to a model call. */
export const ModelAnswer = z
  .strictObject({
    parts: z.array(ModelPart).max(1000).describe('What came since the last piece.'),
    end: z
      .discriminatedUnion('outcome', [
        z.strictObject({
          outcome: z.literal('complete'),
          usage: z
            .strictObject({ inputTokens: tokens, outputTokens: tokens })
            .nullable()
            .describe('null: the editor cannot count; a part counts as a token then.'),
        }),
        z.strictObject({ outcome: z.literal('failed'), reason: z.string().min(1).max(2000) }),
      ])
      .nullable()
      .describe('null: more comes.'),
  })
  .meta({ id: 'ModelAnswer' })
export type ModelAnswer = z.infer<typeof ModelAnswer>

/** How a model call stands, as the editor that is to answer it is told. */
export const ModelQuestionNotice = z.strictObject({
  id: z.uuid(),
  isWanted: z.boolean().describe('False: nobody waits for the answer any more.'),
})
export type ModelQuestionNotice = z.infer<typeof ModelQuestionNotice>
