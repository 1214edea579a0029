import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createCompletion, messagesOf, type Part } from './completion.ts'

const event = (value: unknown) => `data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`
const delta = (delta: object, finish_reason: string | null = null) => event({ choices: [{ delta, finish_reason }] })
const encode = (text: string) => new TextEncoder().encode(text)

function read(...pieces: readonly Uint8Array[]): Part[] {
  const parts: Part[] = []
  const completion = createCompletion(part => parts.push(part))
  for (const piece of pieces) completion.take(piece)
  completion.end()
  return parts
}

it('gives text as it comes, however the bytes are cut', () => {
  const whole = encode(delta({ content: 'grün ' }) + delta({ content: '✓' }) + delta({}, 'stop') + event('[DONE]'))
  fc.assert(
    fc.property(fc.array(fc.nat(whole.length)), cuts => {
      const at = [0, ...cuts.sort((a, b) => a - b), whole.length]
      const parts = read(...at.slice(1).map((end, index) => whole.slice(at[index], end)))
      expect(parts.map(part => part.kind === 'text' && part.text).join('')).toBe('grün ✓')
    }),
  )
})

it('puts calls of tools together from their parts, by number or by id', () => {
  const numbered =
    delta({ tool_calls: [{ index: 0, id: 'a', function: { name: 'run', arguments: '{"x"' } }] }) +
    delta({
      tool_calls: [
        { index: 0, function: { arguments: ':1}' } },
        { index: 1, id: 'b', function: { name: 'see', arguments: '' } },
      ],
    })
  expect(read(encode(numbered + delta({}, 'tool_calls')))).toEqual([
    { kind: 'call', id: 'a', name: 'run', input: { x: 1 } },
    { kind: 'call', id: 'b', name: 'see', input: {} },
  ])
  const whole = delta({ tool_calls: [{ id: 'a', function: { name: 'run', arguments: '{}' } }] })
  const other = delta({ tool_calls: [{ id: 'b', function: { name: 'see', arguments: '{}' } }] }, 'tool_calls')
  expect(read(encode(whole + other)).map(part => part.kind === 'call' && part.name)).toEqual(['run', 'see'])
})

it('says why an answer is none', () => {
  expect(() => read(encode(delta({ content: 'x' })))).toThrow('broke off')
  expect(() => read(encode(event({ error: { message: 'overloaded' } })))).toThrow('overloaded')
  const bad = delta({ tool_calls: [{ index: 0, id: 'a', function: { name: 'run', arguments: '{' } }] }, 'stop')
  expect(() => read(encode(bad))).toThrow('run with arguments that are no JSON object')
  const many = Array.from({ length: 200 }, (_, index) =>
    delta({ tool_calls: [{ index, id: `${index}`, function: { name: 'x' } }] }),
  )
  expect(() => read(encode(many.join('')))).toThrow('more than 128')
})

it('fails with a reason, if at all, whatever comes', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.string(),
          fc.json().map(event),
          fc.anything().map(value => delta({ tool_calls: [value] })),
        ),
      ),
      texts => {
        try {
          read(encode(texts.join('')))
        } catch (error) {
          expect(error).toBeInstanceOf(Error)
        }
      },
    ),
  )
})

it('has answers of tools before what was said with them, and calls with the model’s message', () => {
  expect(
    messagesOf('user', [
      { kind: 'text', text: 'go on' },
      { kind: 'answer', id: 'a', text: '42' },
    ]),
  ).toEqual([
    { role: 'tool', tool_call_id: 'a', content: '42' },
    { role: 'user', content: 'go on' },
  ])
  expect(messagesOf('assistant', [{ kind: 'call', id: 'a', name: 'run', input: { x: 1 } }])).toEqual([
    {
      role: 'assistant',
      content: '',
      tool_calls: [{ id: 'a', type: 'function', function: { name: 'run', arguments: '{"x":1}' } }],
    },
  ])
  expect(messagesOf('user', [])).toEqual([])
})
