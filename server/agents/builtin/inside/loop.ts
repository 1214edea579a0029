import * as z from 'zod'
import { type Answer, ask, type Message } from './model.ts'
import type { Assignment, Report } from './protocol.ts'
import { TOOLS, type ToolResult } from './tools.ts'

const MAX_STEPS = 100
/** Characters of conversation kept; beyond, the oldest answers of tools are emptied first. About 60,000 tokens. */
const MAX_CONVERSATION = 240_000

const RULES = `You are a coding agent. You work in a git work tree, alone: nobody can answer questions.
Look before you change: read the files concerned. Make the smallest change that does the task, then run the project's tests.
Use the tools; do not describe what you would do. When the task is done, answer with a short summary and no tool call.`

const DEFINITIONS = Object.entries(TOOLS).map(([name, { description, input }]) => ({
  type: 'function',
  function: { name, description, parameters: z.toJSONSchema(input, { target: 'draft-7' }) },
}))

/** Works until the model calls no more tools. @throws {Error} when the model cannot be asked, or does not come to an end. */
export async function work(assignment: Assignment, root: string, report: (report: Report) => void): Promise<void> {
  const { task, ...endpoint } = assignment
  const messages: Message[] = [
    { role: 'system', content: RULES },
    { role: 'user', content: task },
  ]
  for (let step = 0; step < MAX_STEPS; step++) {
    const answer = await ask({ ...endpoint, messages: trim(messages), tools: DEFINITIONS })
    tell(answer, report)
    if (answer.calls.length === 0) return report({ type: 'done', reason: 'the model called no more tools' })
    messages.push({
      role: 'assistant',
      content: answer.text,
      tool_calls: answer.calls.map(({ id, name, arguments: text }) => ({
        id,
        type: 'function',
        function: { name, arguments: text },
      })),
    })
    for (const call of answer.calls)
      messages.push({ role: 'tool', tool_call_id: call.id, content: await use(call, root, report) })
  }
  throw new Error(`The model did not come to an end within ${MAX_STEPS} steps.`)
}

function tell({ text, thought }: Answer, report: (report: Report) => void): void {
  if (thought) report({ type: 'thought', text: thought })
  if (!text) return
  report({ type: 'message', text })
  report({ type: 'log', text: `${text}\n` })
}

/** Uses one tool. What goes wrong is told to the model, which can do better. */
async function use(call: Answer['calls'][number], root: string, report: (report: Report) => void): Promise<string> {
  const tool = Object.hasOwn(TOOLS, call.name) ? TOOLS[call.name] : undefined
  if (!tool) return `There is no tool "${call.name}"; there are: ${Object.keys(TOOLS).join(', ')}.`
  const parsed = tool.input.safeParse(parse(call.arguments))
  if (!parsed.success) return `The arguments of ${call.name} are wrong: ${z.prettifyError(parsed.error)}`
  const input = parsed.data as { path?: string }
  const head = {
    type: 'tool',
    id: call.id,
    title: tool.title(input),
    kind: tool.kind,
    input: call.arguments.slice(0, 16_384),
    path: input.path ?? null,
  } as const
  report({ ...head, status: 'in_progress', output: null })
  report({ type: 'log', text: `▸ ${head.title}\n` })
  try {
    const result: ToolResult = await tool.run(input, { root, log: text => report({ type: 'log', text }) })
    report({ ...head, status: 'completed', output: result.output })
    if (result.diff) report({ type: 'diff', id: call.id, ...result.diff })
    return result.output
  } catch (error) {
    const output = error instanceof Error ? error.message : String(error)
    report({ ...head, status: 'failed', output })
    report({ type: 'log', text: `  ${output}\n` })
    return `Failed: ${output}`
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text || '{}')
  } catch {
    return null
  }
}

/** Empties the oldest tool answers until the conversation fits; the model can read a file again. */
function trim(messages: readonly Message[]): readonly Message[] {
  let size = messages.reduce((sum, { content }) => sum + content.length, 0)
  return messages.map((message, index) => {
    if (size <= MAX_CONVERSATION || message.role !== 'tool' || index > messages.length - 6) return message
    size -= message.content.length
    return { ...message, content: '[left out for length]' }
  })
}
