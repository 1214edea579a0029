import { createInterface, type Interface } from 'node:readline'
import { messageOf } from '#server/lib/message-of.ts'
import { type EventBody, sanitizeLine, sanitizeTerminal } from '#shared/model/index.ts'
import type { World } from './world.ts'

type Request = Extract<EventBody, { type: 'permission.requested' }>

/** Asks the person at the keyboard what an agent wants to know. */
export interface Prompt {
  /** Takes notice of an event: asks for a request, and forgets one that was answered elsewhere. */
  see(body: EventBody): void
  close(): void
}

interface PromptDeps {
  readonly world: Pick<World, 'keyboard' | 'err'>
  readonly say: (text: string) => Promise<void>
  readonly answer: (requestId: string, optionId: string) => Promise<unknown>
}

/** The first number or, for the hurried, the first letter of an option. @returns null when it fits none. */
export function chooseOption(options: Request['options'], typed: string): Request['options'][number] | null {
  const text = typed.trim().toLowerCase()
  if (/^\d+$/.test(text)) return options[Number(text) - 1] ?? null
  if (/^y(es)?$/.test(text)) return options.find(({ kind }) => kind === 'allow_once') ?? null
  if (/^no?$/.test(text)) return options.find(({ kind }) => kind === 'reject_once') ?? null
  return options.find(({ id }) => id.toLowerCase() === text) ?? null
}

export function createPrompt({ world, say, answer }: PromptDeps): Prompt {
  const waiting = new Map<string, Request>()
  let asked: Request | undefined
  let lines: Interface | null = null

  const question = (request: Request): string => {
    const options = request.options.map(({ name }, index) => `    ${index + 1}  ${sanitizeLine(name)}`)
    const detail = sanitizeTerminal(request.detail)
      .trim()
      .split('\n')
      .map(line => `    ${line}`)
    return [...detail, ...options, world.err.paint('bold', '  Type a number, or y or n:')].join('\n')
  }
  const told = (text: string) => void say(text).catch(() => {})

  /** One question at a time, in the order they came. */
  const askFirst = () => {
    const [request] = waiting.values()
    if (request && request !== asked) told(question(request))
    asked = request
  }

  const onLine = (typed: string) => {
    if (!asked || typed.trim() === '') return
    const { requestId, options } = asked
    const option = chooseOption(options, typed)
    if (!option) return told(`  "${sanitizeLine(typed)}" is none of the answers.`)
    waiting.delete(requestId)
    answer(requestId, option.id).catch((error: unknown) => told(`  ${messageOf(error)}`))
    askFirst()
  }

  return {
    see(body) {
      if (body.type === 'permission.requested' && world.keyboard) {
        waiting.set(body.requestId, body)
        // Not a terminal for readline: the keyboard stays in line mode, so that Ctrl-C is still a signal.
        lines ??= createInterface({ input: world.keyboard, terminal: false }).on('line', onLine)
      } else if (body.type === 'permission.answered') waiting.delete(body.requestId)
      askFirst()
    },
    close: () => lines?.close(),
  }
}
