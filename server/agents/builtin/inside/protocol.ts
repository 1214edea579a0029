import * as z from 'zod'

const text = z.string()

/** What the agent inside says to the server, one JSON object a line on stdout. To the server it is hostile input like any other. */
export const Report = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('log'), text }),
  z.strictObject({ type: z.literal('message'), text }),
  z.strictObject({ type: z.literal('thought'), text }),
  z.strictObject({
    type: z.literal('tool'),
    id: text,
    title: text,
    kind: z.enum(['read', 'search', 'edit', 'execute', 'other']),
    status: z.enum(['in_progress', 'completed', 'failed']),
    input: text,
    output: text.nullable(),
    path: text.nullable(),
  }),
  z.strictObject({ type: z.literal('diff'), id: text, path: text, oldText: text.nullable(), newText: text }),
  z.strictObject({ type: z.literal('done'), reason: text }),
  z.strictObject({ type: z.literal('failed'), detail: text }),
])
export type Report = z.infer<typeof Report>

/** What the server says to the agent, once, on stdin. */
export const Assignment = z.strictObject({ task: text, model: text, baseUrl: text, token: text })
export type Assignment = z.infer<typeof Assignment>
