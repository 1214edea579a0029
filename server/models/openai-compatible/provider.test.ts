import type { ServerResponse } from 'node:http'
import { describe, expect, it, test } from 'vitest'
import type { ModelUse } from '#server/models/index.ts'
import type { ChatRequest } from '#shared/contract/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { json, type Stub, startStub } from '#test/fakes/stub-server.ts'
import { openAiProvider } from './index.ts'

const KEY = 'sk-0123456789abcdef'
const CHAT: ChatRequest = { model: 'm', messages: [{ role: 'user', content: 'hi' }], temperature: 0.1 }
const USAGE = { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 }
const { signal } = new AbortController()

const chunk = (body: object) => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', model: 'm', ...body })}\n\n`
const word = (content: string) => chunk({ choices: [{ index: 0, delta: { content }, finish_reason: null }] })

function at(stub: Pick<Stub, 'url'>, changes: { apiKey?: string | null; models?: string[] } = {}) {
  const uses: ModelUse[] = []
  const clock = virtualClock()
  const provider = openAiProvider({ id: 'p', baseUrl: `${stub.url}/v1/`, apiKey: KEY, models: [], clock, ...changes })
  return { provider, uses, clock, call: { signal, used: (use: ModelUse) => uses.push(use) } }
}

function stream(response: ServerResponse, ...parts: string[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
  for (const part of parts) response.write(part)
  response.end()
}

describe('a chat that does not stream', () => {
  it('passes request and answer on as they are, with the key, and counts', async () => {
    const answer = { id: 'c', choices: [{ message: { role: 'assistant', content: 'hello' } }], usage: USAGE, unknown: [1] }
    await using stub = await startStub((_, response) => json(response, answer))
    const { provider, uses, call } = at(stub)
    const response = await provider.chat(CHAT, call)
    expect(await response.json()).toEqual(answer)
    expect(stub.requests).toMatchObject([
      { method: 'POST', path: '/v1/chat/completions', body: CHAT, headers: { authorization: `Bearer ${KEY}` } },
    ])
    expect(uses).toEqual([{ provider: 'p', model: 'm', inputTokens: 7, outputTokens: 3, durationMs: 0 }])
  })

  test.each([[undefined], [null], ['many'], [{ prompt_tokens: -1, completion_tokens: 1.5 }]])(
    'counts nothing where the usage is %j',
    async usage => {
      await using stub = await startStub((_, response) => json(response, { choices: [], usage }))
      const { provider, uses, call } = at(stub)
      await provider.chat(CHAT, call)
      expect(uses).toMatchObject([{ inputTokens: 0, outputTokens: 0 }])
    },
  )

  it('is a provider’s failure when the answer is no JSON', async () => {
    await using stub = await startStub((_, response) => void response.end(`<html>${KEY}`))
    const { provider, call } = at(stub)
    const error = await provider.chat(CHAT, call).catch(error => error)
    expect(error).toMatchObject({ code: 'provider_failed' })
    expect(JSON.stringify(error.toProblem()) + error.cause).not.toContain(KEY)
  })

  it('sends no key where there is none', async () => {
    await using stub = await startStub((_, response) => json(response, {}))
    const { provider, call } = at(stub, { apiKey: null })
    await provider.chat(CHAT, call)
    expect(stub.requests[0]?.headers).not.toHaveProperty('authorization')
  })
})

describe('a chat that streams', () => {
  const parts = [
    chunk({ choices: [{ index: 0, delta: { role: 'assistant', content: '' } }] }),
    ': still thinking\n\n',
    word('a'),
    word('ü'),
    chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }),
    chunk({ choices: [], usage: USAGE }),
    'data: [DONE]\n\n',
  ]
  const request = { ...CHAT, stream: true }

  it('asks for the usage, counts it, and keeps its chunk from a caller that did not ask', async () => {
    await using stub = await startStub((_, response) => stream(response, ...parts))
    const { provider, uses, call } = at(stub)
    const response = await provider.chat(request, call)
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    expect(await response.text()).toBe(parts.filter(part => !part.includes('usage')).join(''))
    expect(stub.requests[0]?.body).toEqual({ ...request, stream_options: { include_usage: true } })
    expect(uses).toMatchObject([{ inputTokens: 7, outputTokens: 3 }])
  })

  it('passes the usage to a caller that asked', async () => {
    await using stub = await startStub((_, response) => stream(response, ...parts))
    const { provider, call } = at(stub)
    const asked = { ...request, stream_options: { include_usage: true, other: 1 } }
    expect(await (await provider.chat(asked, call)).text()).toBe(parts.join(''))
    expect(stub.requests[0]?.body).toEqual(asked)
  })

  it('finds events in bytes however they are cut', async () => {
    const bytes = Buffer.from(parts.join(''))
    await using stub = await startStub(async (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      for (const byte of bytes) {
        response.write(Uint8Array.of(byte))
        if (byte > 127) await new Promise(setImmediate)
      }
      response.end()
    })
    const { provider, uses, call } = at(stub)
    expect(await (await provider.chat(request, call)).text()).toBe(parts.filter(part => !part.includes('usage')).join(''))
    expect(uses).toMatchObject([{ inputTokens: 7 }])
  })

  it('keeps the last event of a stream that ends without an empty line', async () => {
    await using stub = await startStub((_, response) => stream(response, word('a'), 'data: [DONE]'))
    const { provider, call } = at(stub)
    expect(await (await provider.chat(request, call)).text()).toBe(`${word('a')}data: [DONE]\n\n`)
  })

  it('takes an answer that comes whole although a stream was asked for', async () => {
    await using stub = await startStub((_, response) => json(response, { choices: [], usage: USAGE }))
    const { provider, uses, call } = at(stub)
    expect(await (await provider.chat(request, call)).json()).toEqual({ choices: [], usage: USAGE })
    expect(uses).toMatchObject([{ inputTokens: 7 }])
  })

  it('breaks off when the provider does, and ends the provider’s work when the caller goes away; both are counted', async () => {
    await using broken = await startStub((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(word('a'))
      setImmediate(() => response.destroy())
    })
    const first = at(broken)
    const cut = await first.provider.chat(request, first.call)
    await expect(cut.text()).rejects.toThrow()
    expect(first.uses).toMatchObject([{ outputTokens: 1 }])

    const gone = Promise.withResolvers<void>()
    await using endless = await startStub((_, response) => {
      response.on('close', () => gone.resolve())
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(word('a'))
    })
    const second = at(endless)
    const reader = (await second.provider.chat(request, second.call)).body?.getReader()
    await reader?.read()
    await reader?.cancel()
    await gone.promise
    expect(second.uses).toMatchObject([{ outputTokens: 1 }])
  })
})

describe('a refusal', () => {
  it('that the caller can mend passes with status, words and code, without the key', async () => {
    const error = {
      message: `too long for ${KEY}`,
      type: 'invalid_request_error',
      code: 'context_length_exceeded',
      param: 'messages',
    }
    await using stub = await startStub((_, response) => {
      response.setHeader('x-secret', KEY)
      json(response, { error, key: KEY }, 400)
    })
    const { provider, uses, call } = at(stub)
    const response = await provider.chat(CHAT, call)
    expect(response.status).toBe(400)
    expect(await response.json()).toEqual({ error: { ...error, message: 'too long for [key]' } })
    expect([...response.headers.keys()]).toEqual(['content-type'])
    expect(uses).toEqual([])
  })

  it('for too many requests says when to come again', async () => {
    await using stub = await startStub((_, response) => {
      response.setHeader('retry-after', '7')
      json(response, { error: { message: 'slow down', code: 42 } }, 429)
    })
    const { provider, call } = at(stub)
    const response = await provider.chat(CHAT, call)
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '7'])
  })

  test.each([
    ['Ollama', { error: 'no such tool' }],
    ['vLLM', { object: 'error', message: 'no such tool', code: 400 }],
    ['FastAPI', { detail: 'no such tool' }],
  ])('in the form of %s is understood', async (_, body) => {
    await using stub = await startStub((_, response) => json(response, body, 400))
    const { provider, call } = at(stub)
    expect(await (await provider.chat(CHAT, call)).json()).toMatchObject({ error: { message: 'no such tool' } })
  })

  test.each([401, 403])('of the key (%i) tells nothing the provider said of it', async status => {
    await using stub = await startStub((_, response) => json(response, { error: { message: 'bad key sk-0***cdef' } }, status))
    const { provider, call } = at(stub)
    const error = await provider.chat(CHAT, call).catch(error => error)
    expect(error).toMatchObject({ code: 'provider_failed' })
    expect(JSON.stringify(error.toProblem())).not.toContain('cdef')
  })

  test.each([
    [500, '{"error":{"message":"out of memory"}}', 'out of memory'],
    [503, 'busy', 'it answered 503'],
    [404, '<html>', 'it answered 404'],
    [400, 'x'.repeat(100_000), 'more than'],
    [302, '', 'redirects'],
  ])('with %i that the caller can do nothing about is a provider’s failure', async (status, body, said) => {
    await using stub = await startStub((_, response) => void response.writeHead(status, { location: '/elsewhere' }).end(body))
    const { provider, call } = at(stub)
    await expect(provider.chat(CHAT, call)).rejects.toMatchObject({
      code: 'provider_failed',
      message: expect.stringContaining(said),
    })
    expect(stub.requests).toHaveLength(1)
  })
})

describe('the rest', () => {
  it('lists the provider’s models, or those the settings name without asking', async () => {
    await using stub = await startStub((_, response) => json(response, { data: [{ id: 'a', created: 5 }, { id: 'b' }] }))
    const { provider } = at(stub)
    expect(await provider.list(signal)).toEqual([
      { id: 'a', object: 'model', created: 5, owned_by: 'p' },
      { id: 'b', object: 'model', created: 0, owned_by: 'p' },
    ])
    const named = at(stub, { models: ['mine'] })
    expect(await named.provider.list(signal)).toMatchObject([{ id: 'mine' }])
    expect(stub.requests).toHaveLength(1)
  })

  test.each([
    [200, { models: [] }],
    [404, { error: { message: 'no' } }],
    [500, {}],
  ])('does not take %i %j for a list', async (status, body) => {
    await using stub = await startStub((_, response) => json(response, body, status))
    await expect(at(stub).provider.list(signal)).rejects.toMatchObject({ code: 'provider_failed' })
  })

  it('embeds, and counts', async () => {
    const answer = { object: 'list', data: [{ embedding: 'AACAPw==' }], usage: { prompt_tokens: 4, total_tokens: 4 } }
    await using stub = await startStub((_, response) => json(response, answer))
    const { provider, uses, call } = at(stub)
    const request = { model: 'm', input: ['a'], encoding_format: 'base64' }
    expect(await (await provider.embed(request, call)).json()).toEqual(answer)
    expect(stub.requests).toMatchObject([{ path: '/v1/embeddings', body: request }])
    expect(uses).toMatchObject([{ inputTokens: 4, outputTokens: 0 }])
  })

  it('says where nobody answers, without what authorises', async () => {
    const url = 'http://me:hidden@127.0.0.1:1/v1'
    const provider = openAiProvider({ id: 'p', baseUrl: url, apiKey: null, models: [], clock: virtualClock() })
    const error = await provider.list(signal).catch(error => error)
    expect(error).toMatchObject({ code: 'provider_failed', message: expect.stringContaining('http://127.0.0.1:1/v1: ') })
    expect(JSON.stringify(error.toProblem()) + error.stack + error.cause).not.toContain('hidden')
  })
})
