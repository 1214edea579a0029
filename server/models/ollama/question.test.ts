import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { toOllama } from './question.ts'
import { estimateTokens } from './window.ts'

const ask = (messages: object[], more: object = {}) => toOllama({ model: 'm', messages: messages as { role: string }[], ...more })

describe('a conversation for Ollama', () => {
  it('names the tool where OpenAI names the call, and turns arguments into objects', () => {
    const call = (id: string, name: string, text: string) => ({ id, type: 'function', function: { name, arguments: text } })
    const { messages } = ask([
      { role: 'developer', content: 'be brief' },
      { role: 'assistant', content: null, tool_calls: [call('1', 'read', '{"path":"a"}'), call('2', 'list', '')] },
      { role: 'tool', tool_call_id: '2', content: 'b' },
      {
        role: 'tool',
        tool_call_id: '1',
        content: [
          { type: 'text', text: 'one' },
          { type: 'text', text: 'two' },
        ],
      },
    ])
    expect(messages).toEqual([
      { role: 'system', content: 'be brief' },
      {
        role: 'assistant',
        content: '',
        tool_calls: [{ function: { name: 'read', arguments: { path: 'a' } } }, { function: { name: 'list', arguments: {} } }],
      },
      { role: 'tool', content: 'b', tool_name: 'list' },
      { role: 'tool', content: 'one\ntwo', tool_name: 'read' },
    ])
  })

  it('keeps the options Ollama has a word for', () => {
    const { options, format } = ask([{ role: 'user', content: 'a' }], {
      temperature: 0,
      top_p: 0.5,
      seed: 3,
      stop: 'x',
      max_tokens: 5,
      max_completion_tokens: 7,
      response_format: { type: 'json_schema', json_schema: { schema: { type: 'object' } } },
      logit_bias: {},
    })
    expect(options).toEqual({ temperature: 0, top_p: 0.5, seed: 3, stop: ['x'], num_predict: 7 })
    expect(format).toEqual({ type: 'object' })
    expect(ask([{ role: 'user' }], { response_format: { type: 'json_object' } }).format).toBe('json')
  })

  it('offers no tools where the caller wants none used', () => {
    const tools = [{ type: 'function', function: { name: 'a' } }]
    expect(ask([{ role: 'user' }], { tools }).tools).toEqual(tools)
    expect(ask([{ role: 'user' }], { tools, tool_choice: 'none' })).not.toHaveProperty('tools')
  })

  it('takes images that come along, and none that would have to be fetched', () => {
    const image = (url: string) => [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }]
    expect(ask(image('data:image/png;base64,AAAA')).messages).toMatchObject([{ images: ['AAAA'] }])
    expect(() => ask(image('http://169.254.169.254/'))).toThrow(/fetches nothing/)
  })

  test.each([
    [[{ role: 'user', content: 5 }], '/messages/0/content'],
    [[{ role: 'user', content: [{ type: 'audio' }] }], '/messages/0/content'],
    [[{ role: 'assistant', tool_calls: [{ function: { name: 'a' } }] }], '/messages/0/tool_calls/0/function/arguments'],
  ])('is refused when it is not in the form: %j', (messages, path) => {
    expect(() => ask(messages)).toThrow(
      expect.objectContaining({ code: 'invalid_request', extras: { issues: [expect.objectContaining({ path })] } }),
    )
  })

  it('is no other conversation for arguments that are no JSON', () => {
    const calls = (text: string) => [{ role: 'assistant', tool_calls: [{ function: { name: 'a', arguments: text } }] }]
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), text => void ask(calls(text))))
    expect(ask(calls('[1')).messages[0]?.tool_calls).toEqual([{ function: { name: 'a', arguments: {} } }])
  })
})

describe('the estimate of tokens', () => {
  it('grows with messages, tools, images and the answer asked for', () => {
    const base = estimateTokens(ask([{ role: 'user', content: 'hi' }], { max_tokens: 0 }))
    expect(base).toBeLessThan(50)
    expect(estimateTokens(ask([{ role: 'user', content: 'x'.repeat(3_000) }], { max_tokens: 0 }))).toBeGreaterThan(1_000)
    expect(estimateTokens(ask([{ role: 'user', content: 'hi' }], { max_tokens: 100 }))).toBe(base + 100)
    expect(estimateTokens({ messages: [{ role: 'user', content: '', images: ['x'.repeat(1e6)] }] })).toBeLessThan(5_000)
    // Ollama takes a negative number for "no limit".
    expect(estimateTokens({ options: { num_predict: -1 } })).toBeGreaterThan(0)
  })
})
