import { randomUUID } from 'node:crypto'
import * as z from 'zod'
import type { ToolCall } from './completion.ts'

const Spoken = z
  .object({ name: z.string(), arguments: z.looseObject({}).optional(), parameters: z.looseObject({}).optional() })
  .refine(({ arguments: named, parameters }) => named !== undefined || parameters !== undefined)
const WRAPPED = /^(?:```(?:json)?\s*|<tool_call>\s*)([\s\S]*?)(?:\s*```|\s*<\/tool_call>)$/

/**
 * Small local models write a tool call out as text, as their template shows it, instead of making it. A text that is one such call and
 * nothing else is taken for what it means.
 * @param tools names that may be called.
 */
export function findSpokenCall(text: string, tools: readonly string[]): ToolCall | null {
  const trimmed = text.trim()
  const spoken = Spoken.safeParse(parse(WRAPPED.exec(trimmed)?.[1] ?? trimmed))
  if (!spoken.success || !tools.includes(spoken.data.name)) return null
  const { name, arguments: named, parameters } = spoken.data
  return { id: `call_${randomUUID()}`, name, arguments: JSON.stringify(named ?? parameters) }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
