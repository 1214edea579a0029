import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { systemClock as clock } from '#server/lib/clock.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { createModels } from './models.ts'
import { openAiProvider } from './openai-compatible/index.ts'
import type { ModelCall, ModelProvider, ModelUse } from './port.ts'

const KEY = 'sk-very-secret-0123456789'

async function upstream(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
}

const provider = (baseUrl: string) => openAiProvider({ id: 'up', baseUrl, apiKey: KEY, models: ['m'], clock })
const question = { model: 'm', messages: [{ role: 'user', content: 'hi' }] }
function call(): ModelCall & { uses: ModelUse[] } {
  const uses: ModelUse[] = []
  return { uses, signal: AbortSignal.timeout(10_000), used: use => uses.push(use) }
}

const chunks = [
  { choices: [{ index: 0, delta: { content: 'Hel' } }] },
  { choices: [{ index: 0, delta: { content: 'lo' }, finish_reason: 'stop' }] },
  { choices: [], usage: { prompt_tokens: 7, completion_tokens: 2 } },
]
const streaming: RequestListener = (_, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  // Cut in the middle of lines, as networks do.
  const text = `${chunks.map(chunk => `data: ${JSON.stringify(chunk)}\n\n`).join('')}data: [DONE]\n\n`
  for (let at = 0; at < text.length; at += 11) response.write(text.slice(at, at + 11))
  response.end()
}

describe('a provider that speaks OpenAI’s format', () => {
  it('passes a stream through, counts what it cost, and shows the count only to who asked for it', async () => {
    const up = provider(await upstream(streaming))
    const quiet = call()
    const text = await (await up.chat({ ...question, stream: true }, quiet)).text()
    expect(text).toContain('"content":"Hel"')
    expect(text).toContain('[DONE]')
    expect(text).not.toContain('prompt_tokens')
    expect(quiet.uses).toMatchObject([{ provider: 'up', model: 'm', inputTokens: 7, outputTokens: 2 }])
    const asked = await (await up.chat({ ...question, stream: true, stream_options: { include_usage: true } }, call())).text()
    expect(asked).toContain('"prompt_tokens":7')
  })

  it('puts the key on and nothing else of ours', async () => {
    const seen: (string | undefined)[] = []
    const baseUrl = await upstream((request, response) => {
      seen.push(request.headers.authorization)
      response.end(JSON.stringify({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 1 } }))
    })
    const asked = call()
    await provider(baseUrl).chat(question, asked)
    expect(seen).toEqual([`Bearer ${KEY}`])
    expect(asked.uses).toHaveLength(1)
  })

  it('passes on what is the caller’s to mend, without the key', async () => {
    const baseUrl = await upstream((_, response) =>
      response.writeHead(400).end(JSON.stringify({ error: { message: `too long for ${KEY}` } })),
    )
    const answer = await provider(baseUrl).chat(question, call())
    expect(answer.status).toBe(400)
    expect(await answer.text()).toBe('{"error":{"message":"too long for [key]","type":"invalid_request_error"}}')
  })

  it.each([
    ['its own refusal', 401, JSON.stringify({ error: { message: `bad key ${KEY}` } })],
    ['a failure', 500, 'oops'],
    ['a redirect', 302, ''],
  ])('tells of %s without the key', async (_, status, body) => {
    const baseUrl = await upstream((_request, response) =>
      response.writeHead(status, { location: 'http://127.0.0.1:9/' }).end(body),
    )
    await expect(provider(baseUrl).chat(question, call())).rejects.toMatchObject({
      code: 'provider_failed',
      message: expect.not.stringContaining(KEY),
    })
  })

  it('says why it cannot be reached', async () => {
    const server = createServer()
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    await new Promise(resolve => server.close(resolve))
    await expect(provider(`http://127.0.0.1:${port}/v1`).chat(question, call())).rejects.toMatchObject({
      code: 'provider_failed',
      message: expect.stringContaining('ECONNREFUSED'),
    })
  })

  it('lets go of the provider when its caller goes', async () => {
    const closed = Promise.withResolvers<void>()
    const baseUrl = await upstream((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(': thinking\n\n')
      response.once('close', closed.resolve)
    })
    const gone = new AbortController()
    const answer = await provider(baseUrl).chat({ ...question, stream: true }, { signal: gone.signal, used: () => {} })
    gone.abort()
    await expect(answer.text()).rejects.toThrow()
    await closed.promise
  })
})

describe('models of several providers', () => {
  const fake = (id: string, names: readonly string[], count = { lists: 0 }): ModelProvider => ({
    id,
    async list() {
      count.lists += 1
      if (names.length === 0) throw new Error('asleep')
      return names.map(name => ({ id: name, object: 'model' as const, created: 0, owned_by: id }))
    },
    chat: async request => Response.json({ from: id, model: request.model }),
    embed: async request => Response.json({ from: id, model: request.model }),
  })

  it('are found by their own name, the first provider first, or by provider and name', async () => {
    const models = createModels({ providers: [fake('a', ['x', 'y']), fake('b', ['y', 'z/q'])], clock })
    const ask = async (model: string) => (await models.chat({ ...question, model }, call())).json()
    expect(await ask('y')).toEqual({ from: 'a', model: 'y' })
    expect(await ask('b/y')).toEqual({ from: 'b', model: 'y' })
    expect(await ask('z/q')).toEqual({ from: 'b', model: 'z/q' })
    await expect(models.chat({ ...question, model: 'nope' }, call())).rejects.toMatchObject({ code: 'unknown_model' })
  })

  it('leave out who does not answer, and say so', async () => {
    const models = createModels({ providers: [fake('a', []), fake('b', ['y'])], clock })
    expect(await models.list(AbortSignal.timeout(1000))).toMatchObject({
      models: [{ id: 'y' }],
      unreachable: [{ provider: 'a', reason: 'asleep' }],
    })
    await expect(models.chat({ ...question, model: 'x' }, call())).rejects.toMatchObject({
      message: expect.stringContaining('a (asleep)'),
    })
  })

  it('are listed again only after a while', async () => {
    const count = { lists: 0 }
    const time = virtualClock()
    const models = createModels({ providers: [fake('a', ['x'], count)], clock: time })
    for (let round = 0; round < 3; round++) await models.list(AbortSignal.timeout(1000))
    expect(count.lists).toBe(1)
    time.advance(6000)
    await models.list(AbortSignal.timeout(1000))
    expect(count.lists).toBe(2)
  })
})
