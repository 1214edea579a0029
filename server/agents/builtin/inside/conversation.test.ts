import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compact, type Message, sizeOf } from './conversation.ts'

const call = (id: string, text: string) => ({ id, type: 'function' as const, function: { name: 'write', arguments: text } })
const turn = fc
  .tuple(fc.string(), fc.array(fc.tuple(fc.json(), fc.nat(3_000)), { maxLength: 3 }))
  .map(([content, calls]) => ({ content, calls }))

/** A conversation as the loop makes one. */
const conversation = fc
  .array(turn, { maxLength: 20 })
  .map((turns): Message[] => [
    { role: 'system', content: 'rules' },
    { role: 'user', content: 'task' },
    ...turns.flatMap(({ content, calls }, at): Message[] => [
      { role: 'assistant', content, tool_calls: calls.map(([text], index) => call(`${at}.${index}`, text)) },
      ...calls.map(([, size], index): Message => ({ role: 'tool', tool_call_id: `${at}.${index}`, content: 'x'.repeat(size) })),
    ]),
  ])

describe('compacting a conversation', () => {
  it('keeps rules and task, every answer with its call, and arguments that are JSON', () => {
    fc.assert(
      fc.property(conversation, fc.nat(20_000), (messages, size) => {
        const shorter = compact(messages, size)
        expect(shorter.slice(0, 2)).toEqual(messages.slice(0, 2))
        expect(sizeOf(shorter)).toBeLessThanOrEqual(sizeOf(messages))
        const known = new Set<string>()
        const answered = new Set<string>()
        for (const message of shorter) {
          if (message.role === 'assistant')
            for (const { id, function: made } of message.tool_calls ?? []) {
              known.add(id)
              JSON.parse(made.arguments)
            }
          if (message.role !== 'tool') continue
          expect(known).toContain(message.tool_call_id)
          answered.add(message.tool_call_id)
        }
        expect(answered).toEqual(known)
      }),
    )
  })

  it('leaves a conversation alone that is short enough', () => {
    fc.assert(
      fc.property(conversation, messages => {
        expect(compact(messages, sizeOf(messages))).toEqual(messages)
      }),
    )
  })

  it('leaves out the oldest answers first, then whole turns, and what the model is at only when nothing else helps', () => {
    const messages: Message[] = [
      { role: 'system', content: 'rules' },
      { role: 'user', content: 'task' },
      ...Array.from({ length: 10 }, (_, at): Message[] => [
        { role: 'assistant', content: `look ${at}`, tool_calls: [call(String(at), '{}')] },
        { role: 'tool', tool_call_id: String(at), content: 'x'.repeat(1_000) },
      ]).flat(),
    ]
    const contents = (size: number) => compact(messages, size).map(({ content }) => content.slice(0, 10))
    expect(contents(9_500).filter(content => content.startsWith('[left out'))).toHaveLength(1)
    expect(contents(9_500)[3]).toBe('[left out ')
    expect(contents(1_100)).toEqual(['rules', 'task', 'look 9', 'xxxxxxxxxx'])
    expect(contents(0)).toEqual(['rules', 'task', 'look 9', '[left out '])
  })
})
