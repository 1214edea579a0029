import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { BrokenAnswer, readStream, readWhole } from './completion.ts'

const frame = (delta: object, finish: string | null = null) =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`
const END = frame({}, 'stop')
const DONE = 'data: [DONE]\n\n'

async function* cutAt(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
const read = (text: string, size = 7, onText: (text: string) => void = () => {}) => readStream(cutAt(text, size), onText)

describe('an answer that streams', () => {
  it('is the same however its bytes are cut', async () => {
    const call = (part: object) => frame({ tool_calls: [part] })
    const text =
      frame({ role: 'assistant', content: '' }) +
      frame({ reasoning_content: 'hm' }) +
      frame({ content: 'Ich prüfe ' }) +
      frame({ content: 'es.' }) +
      call({ index: 0, id: 'a', function: { name: 'read', arguments: '' } }) +
      call({ index: 0, function: { arguments: '{"path":' } }) +
      call({ index: 1, id: 'b', function: { name: 'list', arguments: '{}' } }) +
      call({ index: 0, function: { arguments: '"ä"}' } }) +
      frame({}, 'tool_calls') +
      'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n' +
      DONE
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 600 }), async size => {
        const heard: string[] = []
        expect(await read(text, size, part => heard.push(part))).toEqual({
          text: 'Ich prüfe es.',
          thought: 'hm',
          calls: [
            { id: 'a', name: 'read', arguments: '{"path":"ä"}' },
            { id: 'b', name: 'list', arguments: '{}' },
          ],
          isCut: false,
        })
        expect(heard).toEqual(['Ich prüfe ', 'es.'])
      }),
    )
  })

  it('may number no calls, and give no ids', async () => {
    const calls = [
      { id: 'a', function: { name: 'read', arguments: '{}' } },
      { id: 'b', function: { name: 'list', arguments: '{' } },
      { function: { arguments: '}' } },
    ]
    const numbered = await read(calls.map(part => frame({ tool_calls: [part] })).join('') + END)
    expect(numbered.calls).toEqual([
      { id: 'a', name: 'read', arguments: '{}' },
      { id: 'b', name: 'list', arguments: '{}' },
    ])
    const nameless = await read(frame({ tool_calls: [{ index: 0, function: { name: 'read', arguments: '{}' } }] }) + END)
    expect(nameless.calls[0]?.id).toMatch(/^call_./)
  })

  it('may number calls as it likes, without our making room for them', async () => {
    const answer = await read(
      frame({ tool_calls: [{ index: 2 ** 31, id: 'a', function: { name: 'read', arguments: '{}' } }] }) + END,
    )
    expect(answer.calls).toHaveLength(1)
  })

  it('says that it was cut for its length', async () => {
    expect((await read(frame({ content: 'a' }) + frame({}, 'length') + DONE)).isCut).toBe(true)
  })

  test.each([
    ['breaks off', frame({ content: 'a' }), 'broke off'],
    ['is empty', '', 'broke off'],
    ['ends with an error', `${frame({ content: 'a' })}data: {"error":{"message":"out of memory"}}\n\n`, 'out of memory'],
    ['ends with an error in words', 'data: {"error":"out of memory"}\n\n', 'out of memory'],
    ['is something else', 'data: <html>\n\n', 'no chat completion'],
  ])('is broken when it %s', async (_, text, said) => {
    await expect(read(text)).rejects.toThrow(said)
    await expect(read(text)).rejects.toBeInstanceOf(BrokenAnswer)
  })
})

describe('an answer that comes whole', () => {
  it('is read like one that streams', () => {
    const message = { content: 'hi', tool_calls: [{ id: 'a', function: { name: 'read', arguments: '{}' } }] }
    expect(readWhole(JSON.stringify({ choices: [{ message, finish_reason: 'tool_calls' }] }), () => {})).toEqual({
      text: 'hi',
      thought: '',
      calls: [{ id: 'a', name: 'read', arguments: '{}' }],
      isCut: false,
    })
  })

  it('is broken when it is something else', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), text => {
        expect(() => readWhole(text, () => {})).toThrow(BrokenAnswer)
      }),
    )
  })
})
