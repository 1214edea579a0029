import { createParser } from 'eventsource-parser'

/** A part of what a model says. */
export type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'call'; readonly id: string; readonly name: string; readonly input: object }

/** A part of what was said before, by a person, a model or a tool. */
export type Said = Part | { readonly kind: 'answer'; readonly id: string; readonly text: string }

/** Takes a streamed completion in OpenAI's format as it comes, and gives its parts. */
export interface Completion {
  /** @throws {Error} when the provider says that it failed */
  take(bytes: Uint8Array): void
  /** Gives the calls, which are whole only now. @throws {Error} when the answer broke off */
  end(): void
}

/** Longest event, characters. */
const LONGEST_EVENT = 16 * 1024 * 1024
/** Most calls in one answer: more is no answer of a model. */
const MOST_CALLS = 128

interface Delta {
  readonly content?: unknown
  readonly tool_calls?: unknown
}
interface CallDelta {
  readonly index?: unknown
  readonly id?: unknown
  readonly function?: { readonly name?: unknown; readonly arguments?: unknown } | null
}

export function createCompletion(give: (part: Part) => void): Completion {
  const decoder = new TextDecoder()
  const calls = new Map<number, { id: string; name: string; arguments: string }>()
  let last: number | null = null
  let isWhole = false
  let failure: Error | null = null

  function takeCall({ index, id, function: named }: CallDelta): void {
    const isNew = typeof id === 'string' && id !== ''
    // Some servers number nothing, and send each call whole with an id.
    const key = typeof index === 'number' ? index : isNew || last === null ? calls.size : last
    if (!calls.has(key) && calls.size >= MOST_CALLS) throw new Error(`The model calls more than ${MOST_CALLS} tools at once.`)
    const call = calls.get(key) ?? { id: '', name: '', arguments: '' }
    calls.set(key, call)
    last = key
    if (isNew) call.id ||= id
    if (typeof named?.name === 'string') call.name += named.name
    if (typeof named?.arguments === 'string') call.arguments += named.arguments
  }
  function takeEvent(data: string): void {
    if (data === '[DONE]') {
      isWhole = true
      return
    }
    const event = parsed(data)
    if (event.error !== undefined) throw new Error(`The model’s provider failed: ${reasonOf(event.error)}`)
    const choice = Array.isArray(event.choices)
      ? (event.choices[0] as { delta?: Delta; finish_reason?: unknown } | undefined)
      : undefined
    const { content, tool_calls } = choice?.delta ?? {}
    if (typeof content === 'string' && content !== '') give({ kind: 'text', text: content })
    if (Array.isArray(tool_calls)) for (const call of tool_calls as (CallDelta | null)[]) if (call) takeCall(call)
    if (typeof choice?.finish_reason === 'string') isWhole = true
  }
  const parser = createParser({
    maxBufferSize: LONGEST_EVENT,
    onEvent({ data }) {
      try {
        takeEvent(data)
      } catch (error) {
        failure ??= error as Error
      }
    },
    onError(error) {
      if (error.type === 'max-buffer-size-exceeded') failure ??= new Error('The model’s answer has an event of more than 16 MiB.')
    },
  })
  function check(): void {
    if (failure) throw failure
  }
  return {
    take(bytes) {
      parser.feed(decoder.decode(bytes, { stream: true }))
      check()
    },
    end() {
      parser.reset({ consume: true })
      check()
      if (!isWhole) throw new Error('The model’s answer broke off.')
      for (const [at, call] of calls) give({ kind: 'call', id: call.id || `call-${at}`, name: call.name, input: inputOf(call) })
    },
  }
}

function parsed(data: string): { readonly error?: unknown; readonly choices?: unknown } {
  const value: unknown = JSON.parse(data)
  return typeof value === 'object' && value !== null ? value : {}
}

function reasonOf(error: unknown): string {
  const message = typeof error === 'object' && error !== null && 'message' in error ? error.message : error
  return typeof message === 'string' ? message.slice(0, 500) : 'no reason was given'
}

/** @throws {Error} when the model did not get its JSON right */
function inputOf(call: { name: string; arguments: string }): object {
  try {
    const input: unknown = JSON.parse(call.arguments === '' ? '{}' : call.arguments)
    if (typeof input === 'object' && input !== null) return input
  } catch {
    // Told below.
  }
  throw new Error(`The model called ${call.name.slice(0, 100)} with arguments that are no JSON object.`)
}

/** One message of a conversation as OpenAI's format has it: answers of tools are messages of their own there. */
export function messagesOf(role: 'user' | 'assistant', said: readonly Said[]): object[] {
  const text = said.flatMap(part => (part.kind === 'text' ? part.text : [])).join('')
  const answers = said.flatMap(part =>
    part.kind === 'answer' ? { role: 'tool', tool_call_id: part.id, content: part.text } : [],
  )
  const calls = said.flatMap(part =>
    part.kind === 'call'
      ? { id: part.id, type: 'function', function: { name: part.name, arguments: JSON.stringify(part.input) } }
      : [],
  )
  if (text === '' && calls.length === 0) return answers
  return [...answers, { role, content: text, ...(calls.length === 0 ? {} : { tool_calls: calls }) }]
}
