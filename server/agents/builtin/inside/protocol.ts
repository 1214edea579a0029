import * as z from 'zod'

/** Longest line of the protocol, characters. */
export const MAX_LINE = 1024 * 1024
/** Longest texts, characters. */
export const MAX_TEXT = 256 * 1024
export const MAX_TOOL_TEXT = 16 * 1024
export const MAX_NAME = 1024

/**
 * What the agent inside says to the server, one JSON object a line on stdout. To the server it is hostile input like any other: what
 * runs in the sandbox can write there too.
 */
export const Report = z.lazy(() => {
  const text = z.string().max(MAX_TEXT)
  const toolText = z.string().max(MAX_TOOL_TEXT)
  const name = z.string().max(MAX_NAME)
  return z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('log'), text }),
    z.strictObject({ type: z.literal('message'), text }),
    z.strictObject({ type: z.literal('thought'), text }),
    z.strictObject({
      type: z.literal('tool'),
      id: name,
      title: name,
      kind: z.enum(['read', 'search', 'edit', 'execute', 'other']),
      status: z.enum(['in_progress', 'completed', 'failed']),
      input: toolText,
      output: toolText.nullable(),
      path: name.nullable(),
    }),
    z.strictObject({ type: z.literal('diff'), id: name, path: name, oldText: text.nullable(), newText: text }),
    z.strictObject({ type: z.literal('done'), reason: name }),
    z.strictObject({ type: z.literal('failed'), detail: toolText }),
  ])
})
export type Report = z.infer<typeof Report>

const CUT = '… [cut]'
/** A text no longer than `max`, with a mark where something was left out. */
export const cut = (text: string, max: number): string => (text.length <= max ? text : text.slice(0, max - CUT.length) + CUT)

/** What the server says to the agent, once, on stdin. */
export const Assignment = z.lazy(() =>
  z.strictObject({ task: z.string(), model: z.string(), baseUrl: z.url(), token: z.string() }),
)
export type Assignment = z.infer<typeof Assignment>
