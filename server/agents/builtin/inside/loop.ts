import * as z from 'zod'
import { messageOf } from '#server/lib/message-of.ts'
import type { Answer, ToolCall } from './completion.ts'
import { compact, type Message, sizeOf } from './conversation.ts'
import { type Ask, TooLong } from './model.ts'
import { cut, MAX_NAME, MAX_TEXT, MAX_TOOL_TEXT, type Report } from './protocol.ts'
import { findSpokenCall } from './spoken-calls.ts'
import { TOOLS, type ToolResult } from './tools.ts'

const MAX_STEPS = 100
/** Calls of one turn that are made; a model that asks for more is told so. */
const MAX_CALLS = 20
/** Characters of conversation kept, about 60,000 tokens. */
const MAX_CONVERSATION = 240_000
/** A conversation that is too long is cut to this part of its length: seldom, since a model reads all anew that comes after a change. */
const COMPACT_TO = 0.6
/** Conversations shorter than this are not cut for a model that finds them too long. */
const MIN_CONVERSATION = 8_000
/** Times a model that says nothing is asked to go on. */
const MAX_NUDGES = 2

const RULES = `You are a coding agent. You work in a git work tree, alone: nobody can answer questions.
Look before you change: read the files concerned. Make the smallest change that does the task, then run the project's tests.
Use the tools; do not describe what you would do. When the task is done, answer with a short summary and no tool call.`

const DEFINITIONS = Object.entries(TOOLS).map(([name, { description, input }]) => ({
  type: 'function',
  function: { name, description, parameters: z.toJSONSchema(input, { target: 'draft-7' }) },
}))

/** What the agent works with. */
export interface Workplace {
  /** The work tree. */
  readonly root: string
  readonly ask: Ask
  report(report: Report): void
}

/** Works until the model calls no more tools. @throws {Error} when the model cannot be asked, or does not come to an end. */
export async function work(task: string, place: Workplace): Promise<void> {
  let messages: readonly Message[] = [
    { role: 'system', content: RULES },
    { role: 'user', content: task },
  ]
  let nudges = 0
  for (let step = 0; step < MAX_STEPS; step++) {
    const turn = await nextTurn(messages, place)
    const { answer } = turn
    messages = turn.messages
    tell(answer, place.report)
    if (answer.calls.length > 0) {
      messages = [...messages, asMessage(answer), ...(await useAll(answer.calls, place))]
      continue
    }
    const isSilent = answer.text.trim() === ''
    if (!answer.isCut && !(isSilent && nudges++ < MAX_NUDGES)) {
      place.report({ type: 'done', reason: 'the model called no more tools' })
      return
    }
    const nudge = answer.isCut
      ? 'Your answer was cut off for its length. Go on.'
      : 'You said nothing. Go on, or sum up what was done.'
    messages = [...messages, asMessage(answer), { role: 'user', content: nudge }]
  }
  throw new Error(`The model did not come to an end within ${MAX_STEPS} steps.`)
}

/** Asks for the next turn, with a conversation made as short as the model wants it. */
async function nextTurn(
  conversation: readonly Message[],
  { ask, report }: Workplace,
): Promise<{ answer: Answer; messages: readonly Message[] }> {
  const size = sizeOf(conversation)
  let messages = size > MAX_CONVERSATION ? compact(conversation, MAX_CONVERSATION * COMPACT_TO) : conversation
  for (;;) {
    try {
      const answer = await ask({
        messages,
        tools: DEFINITIONS,
        onText: text => report({ type: 'log', text: cut(text, MAX_TEXT) }),
      })
      const spoken = answer.calls.length === 0 ? findSpokenCall(answer.text, Object.keys(TOOLS)) : null
      return { answer: spoken ? { ...answer, calls: [spoken] } : answer, messages }
    } catch (error) {
      const shorter = error instanceof TooLong ? compact(messages, sizeOf(messages) * COMPACT_TO) : messages
      if (sizeOf(shorter) >= sizeOf(messages) || sizeOf(messages) < MIN_CONVERSATION) throw error
      report({ type: 'log', text: '── the conversation is too long for the model; leaving out its oldest parts\n' })
      messages = shorter
    }
  }
}

function tell({ text, thought }: Answer, report: (report: Report) => void): void {
  if (thought) report({ type: 'thought', text: cut(thought, MAX_TEXT) })
  if (!text) return
  report({ type: 'message', text: cut(text, MAX_TEXT) })
  if (!text.endsWith('\n')) report({ type: 'log', text: '\n' })
}

function asMessage({ text, calls }: Answer): Message {
  if (calls.length === 0) return { role: 'assistant', content: text }
  const tool_calls = calls.map(({ id, name, arguments: text }) => ({
    id,
    type: 'function' as const,
    function: { name, arguments: text },
  }))
  return { role: 'assistant', content: text, tool_calls }
}

/** Uses the tools in the order the model named them: later calls may build on earlier ones. */
async function useAll(calls: readonly ToolCall[], place: Workplace): Promise<readonly Message[]> {
  const answers: Message[] = []
  for (const [index, call] of calls.entries()) {
    const content =
      index < MAX_CALLS ? await use(call, place) : `Not done: at most ${MAX_CALLS} calls at once. Ask again for this one.`
    answers.push({ role: 'tool', tool_call_id: call.id, content })
  }
  return answers
}

/** Uses one tool. What goes wrong is told to the model, which can do better. */
async function use(call: ToolCall, { root, report }: Workplace): Promise<string> {
  const tool = Object.hasOwn(TOOLS, call.name) ? TOOLS[call.name] : undefined
  if (!tool) return `There is no tool "${call.name}"; there are: ${Object.keys(TOOLS).join(', ')}.`
  const parsed = tool.input.safeParse(parse(call.arguments))
  if (!parsed.success) return `The arguments of ${call.name} are wrong: ${z.prettifyError(parsed.error)}`
  const input = parsed.data as { path?: string }
  const head = {
    type: 'tool',
    id: cut(call.id, MAX_NAME),
    title: cut(tool.title(input), MAX_NAME),
    kind: tool.kind,
    input: cut(call.arguments, MAX_TOOL_TEXT),
    path: input.path === undefined ? null : cut(input.path, MAX_NAME),
  } as const
  report({ ...head, status: 'in_progress', output: null })
  report({ type: 'log', text: `▸ ${head.title}\n` })
  try {
    const { output, diff } = await tool.run(input, { root, log: text => report({ type: 'log', text }) })
    report({ ...head, status: 'completed', output: cut(output, MAX_TOOL_TEXT) })
    if (diff) reportDiff(head.id, diff, report)
    return output
  } catch (error) {
    const output = cut(messageOf(error), MAX_TOOL_TEXT)
    report({ ...head, status: 'failed', output })
    report({ type: 'log', text: `  ${output}\n` })
    return `Failed: ${output}`
  }
}

/** A diff of very long texts is left to the result, which has it anyway. */
function reportDiff(id: string, { path, ...texts }: NonNullable<ToolResult['diff']>, report: (report: Report) => void): void {
  if ((texts.oldText?.length ?? 0) > MAX_TEXT || texts.newText.length > MAX_TEXT) return
  report({ type: 'diff', id, path: cut(path, MAX_NAME), ...texts })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text || '{}')
  } catch {
    return null
  }
}
