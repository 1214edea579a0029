export interface CallMessage {
  readonly id: string
  readonly type: 'function'
  readonly function: { readonly name: string; readonly arguments: string }
}
export type Message =
  | { readonly role: 'system' | 'user'; readonly content: string }
  | { readonly role: 'assistant'; readonly content: string; readonly tool_calls?: readonly CallMessage[] }
  | { readonly role: 'tool'; readonly tool_call_id: string; readonly content: string }

/** The rules and the task: never left out. */
const HEAD = 2
/** Messages at the end that are not shortened: what the model is at right now. */
const RECENT = 8
const LEFT_OUT = '[left out for length; look again if it matters]'
const NO_ARGUMENTS = '{}'
/** Texts this short are not worth leaving out. */
const SHORT = 200

/** Size of a conversation in characters, about a quarter of that in tokens. */
export const sizeOf = (messages: readonly Message[]): number => messages.reduce((sum, message) => sum + weigh(message), 0)

function weigh(message: Message): number {
  const calls = message.role === 'assistant' ? (message.tool_calls ?? []) : []
  return message.content.length + calls.reduce((sum, call) => sum + call.function.name.length + call.function.arguments.length, 0)
}

/**
 * Makes a conversation shorter, if it can: first the oldest answers of tools and what was written by them are left out, for the model
 * can look again; then the oldest turns go whole; last what is recent is left out too. What stays is still a conversation: no answer
 * without its call.
 */
export function compact(messages: readonly Message[], size: number): readonly Message[] {
  const head = messages.slice(0, HEAD)
  const room = size - sizeOf(head)
  const older = Math.max(messages.length - HEAD - RECENT, 0)
  const turns = turnsOf(shortenOldest(messages.slice(HEAD), room, older))
  while (sizeOf(turns.flat()) > room && turns.length > 1) turns.shift()
  const recent = turns.flat()
  return [...head, ...shortenOldest(recent, room, recent.length)]
}

/** Shortens the first `count` messages, from the oldest, until all fit into `room`. */
function shortenOldest(messages: readonly Message[], room: number, count: number): readonly Message[] {
  let excess = sizeOf(messages) - room
  return messages.map((message, index) => {
    if (excess <= 0 || index >= count) return message
    const shorter = shorten(message)
    excess -= weigh(message) - weigh(shorter)
    return shorter
  })
}

function shorten(message: Message): Message {
  if (message.role === 'tool' && message.content.length > SHORT) return { ...message, content: LEFT_OUT }
  if (message.role !== 'assistant' || !message.tool_calls) return message
  const tool_calls = message.tool_calls.map(call =>
    call.function.arguments.length <= SHORT ? call : { ...call, function: { ...call.function, arguments: NO_ARGUMENTS } },
  )
  return { ...message, tool_calls }
}

/** A turn is one message and the answers of tools that follow it. */
function turnsOf(messages: readonly Message[]): Message[][] {
  const turns: Message[][] = []
  for (const message of messages) {
    if (message.role === 'tool') turns.at(-1)?.push(message)
    else turns.push([message])
  }
  return turns
}
