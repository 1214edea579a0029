import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { describe, expect, it, test } from 'vitest'
import type { ModelUse } from '#server/models/index.ts'
import type { ChatRequest } from '#shared/contract/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { type Stub, startStub } from '#test/fakes/stub-server.ts'
import { ollamaProvider } from './index.ts'

interface Recorded {
  readonly status: number
  readonly type: string
  readonly body: string
}
type Names =
  | 'tags'
  | 'psEmpty'
  | 'ps'
  | 'chat'
  | 'chatStream'
  | 'toolsRefused'
  | 'unknownModel'
  | 'tooLong'
  | 'show'
  | 'embed'
  | 'load'
const fixture = new URL('../../../test/fixtures/ollama/answers.json', import.meta.url)
const recorded = JSON.parse(readFileSync(fixture, 'utf8')) as Record<Names, Recorded>

const ndjson = (...parts: object[]): Recorded => ({
  status: 200,
  type: 'application/x-ndjson',
  body: parts.map(part => `${JSON.stringify(part)}\n`).join(''),
})

/** An Ollama that answers what the real one did, but for what a test changes. */
function ollama(changes: Readonly<Record<string, Recorded>> = {}): Promise<Stub> {
  const { tags, ps, show, embed, chat, chatStream, load } = recorded
  const routes: Record<string, Recorded> = { '/api/tags': tags, '/api/ps': ps, '/api/show': show, '/api/generate': load }
  return startStub(({ path, body }, response) => {
    const isStream = (body as { stream?: boolean } | null)?.stream === true
    const {
      status,
      type,
      body: text,
    } = changes[path] ??
      routes[path] ??
      { '/api/embed': embed, '/api/chat': isStream ? chatStream : chat }[path] ?? { status: 404, type: 'text/plain', body: 'no' }
    response.writeHead(status, { 'content-type': type }).end(text)
  })
}

const CHAT: ChatRequest = { model: 'chat:latest', messages: [{ role: 'user', content: 'Count from one to five.' }] }
const TOOLS = [{ type: 'function', function: { name: 'read', parameters: { type: 'object', properties: {} } } }]
const NOW = 1_767_225_600

function at(stub: Pick<Stub, 'url'>) {
  const uses: ModelUse[] = []
  const provider = ollamaProvider({ id: 'ollama', baseUrl: stub.url, clock: virtualClock(NOW * 1000) })
  const call = { signal: new AbortController().signal, used: (use: ModelUse) => uses.push(use) }
  return { provider, uses, call, chat: (changes: object = {}) => provider.chat({ ...CHAT, ...changes }, call) }
}

/** Server-sent events by their data; the last is checked to be `[DONE]` and left out. */
async function events(
  response: Response,
): Promise<{ choices: { delta: Record<string, unknown>; finish_reason: string | null }[] }[]> {
  const frames = (await response.text()).trimEnd().split('\n\n')
  expect(frames.pop()).toBe('data: [DONE]')
  return frames.map(frame => JSON.parse(frame.slice('data: '.length)))
}
const said = (all: Awaited<ReturnType<typeof events>>) => all.map(({ choices }) => choices[0]?.delta.content ?? '').join('')
const asked = (stub: Stub, path: string) => stub.requests.filter(request => request.path === path).map(({ body }) => body)

describe('Ollama’s models', () => {
  it('are listed', async () => {
    await using stub = await ollama()
    expect((await at(stub).provider.list(new AbortController().signal)).map(({ id, owned_by }) => [id, owned_by])).toEqual([
      ['chat:latest', 'ollama'],
      ['embed:latest', 'ollama'],
    ])
  })

  it('cannot be listed when nobody answers, and that says what to do, without what authorises', async () => {
    const { provider, call } = at({ url: 'http://me:hidden@127.0.0.1:1' })
    const error = await provider.list(call.signal).catch(error => error)
    expect(error).toMatchObject({ code: 'provider_failed', message: expect.stringContaining('http://127.0.0.1:1 ') })
    expect(error.toProblem()).toMatchObject({ remedy: expect.stringContaining('ollama serve') })
    expect(JSON.stringify(error.toProblem()) + error.stack + error.cause).not.toContain('hidden')
  })

  it('are asked with what authorises, where the address has it', async () => {
    await using stub = await ollama()
    await at({ url: stub.url.replace('//', '//me:pass@') }).chat()
    expect(stub.requests.every(({ headers }) => headers.authorization === `Basic ${btoa('me:pass')}`)).toBe(true)
  })
})

describe('a chat that does not stream', () => {
  it('answers in OpenAI’s form, and counts', async () => {
    await using stub = await ollama()
    const { chat, uses } = at(stub)
    expect(await (await chat()).json()).toEqual({
      id: expect.stringMatching(/^chatcmpl-/),
      object: 'chat.completion',
      created: NOW,
      model: 'chat:latest',
      choices: [{ index: 0, message: { role: 'assistant', content: 'The model is a 1-D, 1-' }, finish_reason: 'length' }],
      usage: { prompt_tokens: 15, completion_tokens: 12, total_tokens: 27 },
    })
    expect(uses).toEqual([{ provider: 'ollama', model: 'chat:latest', inputTokens: 15, outputTokens: 12, durationMs: 0 }])
  })

  it('gives tool calls ids and text arguments, and says that it ended for them', async () => {
    const message = {
      role: 'assistant',
      content: '',
      thinking: 'hm',
      tool_calls: [{ function: { name: 'read', arguments: { path: 'a' } } }, { function: { name: 'list', arguments: {} } }],
    }
    await using stub = await ollama({
      '/api/chat': ndjson({ model: 'm', created_at: '', message, done: true, done_reason: 'stop' }),
    })
    const answer = (await (await at(stub).chat({ tools: TOOLS })).json()) as {
      choices: { message: { tool_calls: { id: string }[] } }[]
    }
    expect(answer.choices).toMatchObject([
      {
        finish_reason: 'tool_calls',
        message: {
          reasoning_content: 'hm',
          tool_calls: [
            { type: 'function', function: { name: 'read', arguments: '{"path":"a"}' } },
            { type: 'function', function: { name: 'list', arguments: '{}' } },
          ],
        },
      },
    ])
    expect(new Set(answer.choices[0]?.message.tool_calls.map(({ id }) => id)).size).toBe(2)
    expect(asked(stub, '/api/chat')).toMatchObject([{ tools: TOOLS }])
  })
})

describe('a chat that streams', () => {
  it('comes in OpenAI’s chunks to its end, and counts', async () => {
    await using stub = await ollama()
    const { chat, uses } = at(stub)
    const response = await chat({ stream: true })
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    const all = await events(response)
    expect(all[0]?.choices[0]?.delta).toEqual({ role: 'assistant', content: '' })
    expect(said(all)).toBe('The model is a 1')
    expect(all.map(({ choices }) => choices[0]?.finish_reason).filter(Boolean)).toEqual(['length'])
    expect(all.every(chunk => 'choices' in chunk && !('usage' in chunk))).toBe(true)
    expect(uses).toMatchObject([{ inputTokens: 15, outputTokens: 6 }])
  })

  it('carries the usage for a caller that asked', async () => {
    await using stub = await ollama()
    const all = await events(await at(stub).chat({ stream: true, stream_options: { include_usage: true } }))
    expect(all.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 15, completion_tokens: 6, total_tokens: 21 } })
  })

  it('numbers tool calls over all parts', async () => {
    const part = (name: string) => ({
      message: { role: 'assistant', content: '', tool_calls: [{ function: { name, arguments: { a: 1 } } }] },
      done: false,
    })
    const end = { message: { role: 'assistant', content: '' }, done: true, done_reason: 'stop' }
    await using stub = await ollama({ '/api/chat': ndjson(part('read'), part('list'), end) })
    const all = await events(await at(stub).chat({ stream: true }))
    expect(all.flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? [])).toMatchObject([
      { index: 0, id: expect.stringMatching(/^call_/), function: { name: 'read', arguments: '{"a":1}' } },
      { index: 1, function: { name: 'list' } },
    ])
    expect(all.at(-1)?.choices[0]?.finish_reason).toBe('tool_calls')
  })

  it('ends well when Ollama stops without its last word', async () => {
    const body = recorded.chatStream.body.trimEnd().split('\n').slice(0, -1).join('\n')
    await using stub = await ollama({ '/api/chat': { ...recorded.chatStream, body: `${body}\n` } })
    const { chat, uses } = at(stub)
    const all = await events(await chat({ stream: true }))
    expect(said(all)).toBe('The model is a 1')
    expect(all.at(-1)?.choices[0]?.finish_reason).toBe('stop')
    expect(uses).toHaveLength(1)
  })

  it('tells of a failure half way, and has no [DONE]', async () => {
    const part = { message: { role: 'assistant', content: 'a' }, done: false }
    await using stub = await ollama({ '/api/chat': ndjson(part, { error: 'out of memory' }) })
    const { chat, uses } = at(stub)
    const text = await (await chat({ stream: true })).text()
    expect(text).toContain('"error":{"message":"Ollama failed: out of memory"')
    expect(text).not.toContain('[DONE]')
    expect(uses).toHaveLength(1)
  })

  it('ends Ollama’s work when the caller goes away', async () => {
    const gone = Promise.withResolvers<void>()
    await using stub = await startStub(({ path }, response) => {
      if (path !== '/api/chat') return void response.end('{"models":[]}')
      response.on('close', () => gone.resolve())
      response.write(`${JSON.stringify({ message: { role: 'assistant', content: 'a' }, done: false })}\n`)
    })
    const { provider, call } = at(stub)
    const leaving = new AbortController()
    const response = await provider.chat({ ...CHAT, stream: true }, { ...call, signal: leaving.signal })
    leaving.abort()
    await gone.promise
    await response.body?.cancel()
  })
})

describe('a refusal', () => {
  test.each([
    ['tools', recorded.toolsRefused, 400, /does not support tools/],
    ['a model', recorded.unknownModel, 404, /not found/],
    ['a length', recorded.tooLong, 400, /exceeds the context length/],
  ])('of %s is the caller’s to mend: it passes, and prints nothing', async (_, answer, status, said) => {
    await using stub = await ollama({ '/api/chat': answer })
    const { chat, uses } = at(stub)
    for (const stream of [false, true]) {
      const response = await chat({ stream })
      expect(response.status).toBe(status)
      expect(await response.json()).toMatchObject({ error: { message: expect.stringMatching(said) } })
    }
    expect(uses).toEqual([])
  })

  it('by a server that breaks is a failure', async () => {
    const broken = { status: 500, type: 'application/json', body: '{"error":"llama runner process has terminated"}' }
    await using stub = await ollama({ '/api/chat': broken })
    await expect(at(stub).chat()).rejects.toMatchObject({
      code: 'provider_failed',
      message: expect.stringContaining('runner process has terminated'),
    })
  })

  it('by a server that hangs up is a failure', async () => {
    const server = createServer(socket => socket.once('data', () => socket.destroy()))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : 0
    try {
      await expect(at({ url: `http://127.0.0.1:${port}` }).chat()).rejects.toMatchObject({ code: 'provider_failed' })
    } finally {
      server.close()
    }
  })
})

describe('the context window', () => {
  /** About `tokens` tokens, by the estimate. */
  const long = (tokens: number) => ({ messages: [{ role: 'user', content: 'x'.repeat(tokens * 3) }], max_tokens: 0 })
  const windows = (stub: Stub) =>
    asked(stub, '/api/chat').map(body => (body as { options: { num_ctx?: number } }).options.num_ctx)

  it('is the server’s own while the conversation fits', async () => {
    await using stub = await ollama()
    await at(stub).chat()
    expect(windows(stub)).toEqual([undefined])
    expect(asked(stub, '/api/chat')).toMatchObject([{ truncate: false }])
  })

  it('grows by doubling to what the conversation needs, and stays there', async () => {
    await using stub = await ollama()
    const { chat } = at(stub)
    await chat(long(5_000))
    await chat(long(10))
    await chat(long(20_000))
    await chat(long(9_000))
    // The recorded server goes on saying 2,048, so the third and fourth grow from there.
    expect(windows(stub)).toEqual([8_192, 8_192, 32_768, 16_384])
  })

  it('grows no further than the model was made for', async () => {
    await using stub = await ollama()
    await at(stub).chat(long(200_000))
    expect(windows(stub)).toEqual([32_768])
  })

  it('of a model that is not loaded is looked at by loading it, if it matters', async () => {
    await using stub = await ollama({ '/api/ps': recorded.psEmpty })
    const { chat } = at(stub)
    await chat(long(10))
    expect(asked(stub, '/api/generate')).toEqual([])
    await chat(long(5_000))
    expect(asked(stub, '/api/generate')).toMatchObject([{ model: 'chat:latest', prompt: '' }])
  })
})

describe('embeddings', () => {
  const request = { model: 'embed:latest', input: ['a cat', 'a dog'] }
  const numbers = (JSON.parse(recorded.embed.body) as { embeddings: number[][] }).embeddings

  it('come in OpenAI’s form, and count', async () => {
    await using stub = await ollama()
    const { provider, uses, call } = at(stub)
    expect(await (await provider.embed(request, call)).json()).toEqual({
      object: 'list',
      model: 'embed:latest',
      data: numbers.map((embedding, index) => ({ object: 'embedding', index, embedding })),
      usage: { prompt_tokens: 8, total_tokens: 8 },
    })
    expect(uses).toMatchObject([{ inputTokens: 8, outputTokens: 0 }])
  })

  it('come in base64 for clients that ask for it', async () => {
    await using stub = await ollama()
    const { provider, call } = at(stub)
    const asked64 = { ...request, encoding_format: 'base64', dimensions: 4 }
    const answer = (await (await provider.embed(asked64, call)).json()) as { data: { embedding: string }[] }
    const bytes = Buffer.from(answer.data[1]?.embedding ?? '', 'base64')
    expect([0, 4, 8, 12].map(offset => bytes.readFloatLE(offset))).toEqual(numbers[1]?.map(value => Math.fround(value)))
    expect(asked(stub, '/api/embed')).toMatchObject([{ dimensions: 4 }])
  })
})
