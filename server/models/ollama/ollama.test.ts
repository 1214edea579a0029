import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { systemClock as clock } from '#server/lib/clock.ts'
import type { ModelUse } from '../index.ts'
import { ollamaProvider } from './index.ts'
import { toOllama } from './translate.ts'

/** Answers as https://github.com/ollama/ollama/blob/main/docs/api.md shows them. */
const at = '2026-01-01T00:00:00Z'
const calls = [{ function: { name: 'read', arguments: { path: 'a.ts' } } }]
const parts = [
  { model: 'm', created_at: at, message: { role: 'assistant', content: 'I ' }, done: false },
  { model: 'm', created_at: at, message: { role: 'assistant', content: 'look.', tool_calls: calls }, done: false },
  {
    model: 'm',
    created_at: at,
    message: { role: 'assistant', content: '' },
    done: true,
    done_reason: 'stop',
    prompt_eval_count: 11,
    eval_count: 3,
  },
]

async function ollama() {
  const asked: { path: string | undefined; body: unknown }[] = []
  const server = createServer((request, response) => void answer(request, response))
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = ''
    for await (const piece of request.setEncoding('utf8')) body += piece
    const parsed = body === '' ? null : JSON.parse(body)
    asked.push({ path: request.url, body: parsed })
    if (request.url === '/api/tags') response.end(JSON.stringify({ models: [{ name: 'm:latest', modified_at: at }] }))
    else if (request.url === '/api/embed') response.end(JSON.stringify({ embeddings: [[1, 2]], prompt_eval_count: 4 }))
    else if (parsed.stream) response.end(parts.map(part => `${JSON.stringify(part)}\n`).join(''))
    else response.end(JSON.stringify({ ...parts[2], message: { role: 'assistant', content: 'done', tool_calls: calls } }))
  }
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const provider = ollamaProvider({ id: 'ollama', baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, clock })
  const uses: ModelUse[] = []
  return { provider, asked, uses, call: { signal: AbortSignal.timeout(10_000), used: (use: ModelUse) => uses.push(use) } }
}

const question = { model: 'm', messages: [{ role: 'user', content: 'hi' }] }

describe('Ollama behind OpenAI’s format', () => {
  it('lists its models', async () => {
    const { provider, call } = await ollama()
    expect(await provider.list(call.signal)).toEqual([
      { id: 'm:latest', object: 'model', created: 1767225600, owned_by: 'ollama' },
    ])
  })

  it('answers whole, with tool calls and what it cost', async () => {
    const { provider, call, uses } = await ollama()
    const answer = await (await provider.chat(question, call)).json()
    expect(answer).toMatchObject({
      object: 'chat.completion',
      choices: [
        {
          finish_reason: 'tool_calls',
          message: {
            content: 'done',
            tool_calls: [{ type: 'function', function: { name: 'read', arguments: '{"path":"a.ts"}' } }],
          },
        },
      ],
      usage: { prompt_tokens: 11, completion_tokens: 3, total_tokens: 14 },
    })
    expect(uses).toMatchObject([{ provider: 'ollama', inputTokens: 11, outputTokens: 3 }])
  })

  it('streams chunks that end with [DONE]', async () => {
    const { provider, call, uses } = await ollama()
    const text = await (await provider.chat({ ...question, stream: true, stream_options: { include_usage: true } }, call)).text()
    const frames = text
      .trim()
      .split('\n\n')
      .map(frame => frame.replace(/^data: /, ''))
    expect(frames.at(-1)).toBe('[DONE]')
    const chunks = frames.slice(0, -1).map(frame => JSON.parse(frame))
    expect(chunks.map(chunk => chunk.choices[0]?.delta.content ?? '').join('')).toBe('I look.')
    expect(chunks.flatMap(chunk => chunk.choices[0]?.delta.tool_calls ?? [])).toMatchObject([
      { index: 0, function: { name: 'read' } },
    ])
    expect(chunks.map(chunk => chunk.choices[0]?.finish_reason).filter(Boolean)).toEqual(['tool_calls'])
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 14 } })
    expect(uses).toHaveLength(1)
  })

  it('embeds', async () => {
    const { provider, call } = await ollama()
    expect(await (await provider.embed({ model: 'm', input: 'x' }, call)).json()).toMatchObject({
      data: [{ index: 0, embedding: [1, 2] }],
      usage: { prompt_tokens: 4 },
    })
  })

  it('says what to do when nobody answers', async () => {
    const provider = ollamaProvider({ id: 'ollama', baseUrl: 'http://127.0.0.1:9', clock })
    await expect(provider.list(AbortSignal.timeout(5000))).rejects.toMatchObject({
      code: 'provider_failed',
      extras: { remedy: expect.stringContaining('ollama serve') },
    })
  })
})

describe('a conversation for Ollama', () => {
  it('names the tool where OpenAI names the call, and turns arguments into objects', () => {
    const asked = toOllama({
      model: 'm',
      max_tokens: 5,
      stop: 'x',
      messages: [
        { role: 'developer', content: 'be brief' },
        { role: 'assistant', content: null, tool_calls: [{ id: 'c1', function: { name: 'read', arguments: '{"path":"a"}' } }] },
        { role: 'tool', tool_call_id: 'c1', content: 'text' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'see' },
            { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
          ],
        },
      ],
    })
    expect(asked).toMatchObject({
      options: { num_predict: 5, stop: ['x'] },
      messages: [
        { role: 'system', content: 'be brief' },
        { role: 'assistant', content: '', tool_calls: [{ function: { name: 'read', arguments: { path: 'a' } } }] },
        { role: 'tool', content: 'text', tool_name: 'read' },
        { role: 'user', content: 'see', images: ['AAAA'] },
      ],
    })
  })

  it('is refused when it is not in the form, or wants something fetched', () => {
    expect(() => toOllama({ model: 'm', messages: [{ role: 'user', content: 5 }] })).toThrow(/form of OpenAI/)
    expect(() =>
      toOllama({
        model: 'm',
        messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'http://169.254.169.254/' } }] }],
      }),
    ).toThrow(/fetches nothing/)
  })
})
