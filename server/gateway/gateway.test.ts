import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, createServer, type IncomingMessage, request, type Server } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it, test, vi } from 'vitest'
import type { ModelCall, Models } from '#server/models/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import { createGateway } from './index.ts'
import type { GatewayDeps, GatewaySpec, OpenGateway } from './port.ts'

const TOKEN = 'job-token-0123456789'
const CHAT = { model: 'm', messages: [{ role: 'user', content: 'hi' }] }
const USE = { provider: 'p', model: 'm', inputTokens: 1, outputTokens: 2, durationMs: 3 }

/** Models that answer what a test says. */
const models: Models = {
  list: async () => ({ models: [{ id: 'm', object: 'model', created: 0, owned_by: 'p' }], unreachable: [] }),
  has: async name => name === 'm',
  chat: async (body, { used }) => {
    used(USE)
    return Response.json({ echo: body })
  },
  embed: async body => Response.json({ echo: body }),
}

let directory: string
let socket: string
let logged: string
let refused: string[]
let closing: (() => Promise<unknown>)[]

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'skein-gateway-'))
  socket = join(directory, 'gateway.sock')
  logged = ''
  refused = []
  closing = []
})
afterEach(async () => {
  for (const close of closing.reverse()) await close()
  rmSync(directory, { recursive: true, force: true })
})

async function open(changes: Partial<GatewayDeps & GatewaySpec> = {}): Promise<OpenGateway> {
  const sink = new Writable({
    write(chunk, _encoding, done) {
      logged += String(chunk)
      done()
    },
  })
  const { lookup, ...rest } = changes
  const deps = { log: pino({ level: 'trace' }, sink), ...(lookup ? { lookup } : {}), ...rest }
  const gateway = await createGateway(deps).open({
    socket,
    token: TOKEN,
    models,
    allow: [],
    relayPort: 3128,
    used: () => {},
    refused: (host, reason) => refused.push(`${host}: ${reason}`),
    ...rest,
  })
  closing.push(() => gateway.close())
  return gateway
}

interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** Asks through the gateway's socket as a program inside would. */
function ask(
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string; agent?: Agent | false } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body, agent = false } = options
    const asked = request(
      { socketPath: socket, path, method, headers: { authorization: `Bearer ${TOKEN}`, ...headers }, agent },
      answer => {
        text(answer).then(body => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }), reject)
      },
    )
    asked.on('error', reject)
    asked.end(body)
  })
}
const post = (path: string, body: unknown) =>
  ask(path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) })

/** Sends bytes as they are and takes what comes until the other side ends. */
function raw(bytes: string): Promise<string> {
  const client = connect(socket)
  client.write(bytes)
  return text(client)
}

/** A server outside, on loopback. */
async function outside(
  handle: (request: IncomingMessage, body: string) => object | null,
): Promise<{ port: number; server: Server }> {
  const server = createServer((asked, response) => {
    void text(asked).then(body => {
      const answer = handle(asked, body)
      if (answer) response.writeHead(200, { connection: 'x-hop', 'x-hop': '1', 'x-end': '2' }).end(JSON.stringify(answer))
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  closing.push(async () => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  return { port: (server.address() as AddressInfo).port, server }
}

describe('the model API', () => {
  it('answers the three operations of a job, and tells of the use', async () => {
    const uses: unknown[] = []
    await open({ used: use => uses.push(use) })
    expect(JSON.parse((await ask('/v1/models')).body)).toMatchObject({ object: 'list', data: [{ id: 'm' }] })
    const chat = await post('/v1/chat/completions', { ...CHAT, temperature: 0.5 })
    expect(chat.status).toBe(200)
    expect(JSON.parse(chat.body)).toEqual({ echo: { ...CHAT, temperature: 0.5 } })
    expect((await post('/v1/embeddings', { model: 'm', input: 'a' })).status).toBe(200)
    expect(uses).toEqual([USE])
  })

  it.each(['127.0.0.1', 'localhost', '[::1]'])('answers those who ask it for %s as a proxy, the relay before it', async host => {
    await open()
    expect(JSON.parse((await ask(`http://${host}:3128/v1/models?x=1`)).body)).toMatchObject({ data: [{ id: 'm' }] })
    const nested = `GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\nConnection: close\r\n\r\n`
    const tunnelled = await raw(`CONNECT ${host}:3128 HTTP/1.1\r\nHost: x\r\n\r\n${nested}`)
    expect(tunnelled).toMatch(/^HTTP\/1\.1 200 Connection Established\r\n\r\nHTTP\/1\.1 200 OK\r\n/)
    expect(tunnelled).toContain('"data":[{"id":"m"')
    expect((await raw(`CONNECT ${host}:3129 HTTP/1.1\r\nHost: x\r\n\r\n`)).slice(0, 12)).toBe('HTTP/1.1 403')
    expect(refused).toHaveLength(1)
  })

  test.each([
    ['without a token', { authorization: '' }],
    ['with another job’s token', { authorization: 'Bearer other' }],
    ['with the token in another scheme', { authorization: `Basic ${TOKEN}` }],
    ['with more than the token', { authorization: `Bearer ${TOKEN}x` }],
  ])('refuses a caller %s, and writes the token nowhere', async (_, headers) => {
    await open()
    const answer = await ask('/v1/models', { headers })
    expect(answer.status).toBe(401)
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'unauthorized' })
    expect(answer.body + logged).not.toContain(TOKEN)
  })

  test.each([
    ['GET', '/v1/jobs'],
    ['POST', '/v1/jobs'],
    ['GET', '/v1/chat/completions'],
    ['POST', '/v1/models'],
    ['GET', '/v1/models/'],
    ['GET', '//v1/models'],
    ['GET', '/health'],
    ['OPTIONS', '/v1/models'],
    ['GET', '/v1/secrets'],
  ])('has no %s %s', async (method, path) => {
    await open()
    expect((await ask(path, { method })).status).toBe(404)
  })

  test.each([
    ['no JSON', '{', 400],
    ['no model', { messages: [{ role: 'user' }] }, 422],
    ['no messages', { model: 'm', messages: [] }, 422],
  ])('refuses a body with %s', async (_, body, status) => {
    await open()
    expect((await post('/v1/chat/completions', body)).status).toBe(status)
  })

  it('refuses a body past 20 MB, said in advance or found out', async () => {
    await open()
    const body = JSON.stringify({ ...CHAT, padding: 'x'.repeat(25_000_000) })
    const agent = new Agent({ keepAlive: true })
    closing.push(async () => agent.destroy())
    for (const headers of [{}, { 'transfer-encoding': 'chunked' }] as Record<string, string>[]) {
      const answer = await ask('/v1/chat/completions', { method: 'POST', headers, body, agent })
      expect(answer.status).toBe(413)
    }
  })

  it('bounds what the open calls of a job hold together, and takes calls again when they are over', async () => {
    const waiting: (() => void)[] = []
    const chat: Models['chat'] = () => new Promise(resolve => waiting.push(() => resolve(Response.json({}))))
    await open({ models: { ...models, chat } })
    const large = { ...CHAT, padding: 'x'.repeat(19_000_000) }
    const held = [1, 2, 3].map(() => post('/v1/chat/completions', large))
    while (waiting.length < 3) await new Promise(setImmediate)
    const fourth = await post('/v1/chat/completions', large)
    expect(fourth.status).toBe(429)
    expect(fourth.headers['retry-after']).toBe('1')
    for (const answer of waiting.splice(0)) answer()
    for (const answer of held) expect((await answer).status).toBe(200)
    const fifth = post('/v1/chat/completions', large)
    while (waiting.length < 1) await new Promise(setImmediate)
    waiting[0]?.()
    expect((await fifth).status).toBe(200)
  })

  it('streams an answer as it comes, passes the status on, and keeps the provider’s headers back', async () => {
    let release = () => {}
    const chat: Models['chat'] = async () =>
      new Response(
        ReadableStream.from(
          (async function* () {
            yield Buffer.from('data: 1\n\n')
            await new Promise<void>(resolve => (release = resolve))
            yield Buffer.from('data: 2\n\n')
          })(),
        ),
        { status: 200, headers: { 'content-type': 'text/event-stream', 'set-cookie': 'a=b', 'x-request-id': 'r' } },
      )
    await open({ models: { ...models, chat } })
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const headers = { authorization: `Bearer ${TOKEN}` }
      request({ socketPath: socket, path: '/v1/chat/completions', method: 'POST', headers, agent: false }, resolve)
        .on('error', reject)
        .end(JSON.stringify(CHAT))
    })
    expect(answer.headers).toMatchObject({ 'content-type': 'text/event-stream' })
    expect(answer.headers).not.toHaveProperty('set-cookie')
    expect(answer.headers).not.toHaveProperty('x-request-id')
    const first = await new Promise<Buffer>(resolve => answer.once('data', resolve))
    expect(String(first)).toBe('data: 1\n\n')
    release()
    expect(await text(answer)).toBe('data: 2\n\n')
  })

  it('ends the provider’s work when the caller goes away, and when the gateway closes', async () => {
    for (const leave of ['caller', 'gateway']) {
      const asked = Promise.withResolvers<ModelCall>()
      const chat: Models['chat'] = (_, call) => {
        asked.resolve(call)
        return new Promise((_resolve, reject) => call.signal.addEventListener('abort', () => reject(call.signal.reason)))
      }
      const gateway = await open({ models: { ...models, chat } })
      const client = request({ socketPath: socket, path: '/v1/chat/completions', method: 'POST', agent: false })
      client.setHeader('authorization', `Bearer ${TOKEN}`)
      client.on('error', () => {})
      client.end(JSON.stringify(CHAT))
      const { signal } = await asked.promise
      const ended = new Promise(resolve => signal.addEventListener('abort', resolve))
      if (leave === 'caller') client.destroy()
      else await gateway.close()
      await ended
      await gateway.close()
    }
    expect(logged).toBe('')
  })

  it('tells a provider’s failure as a problem that OpenAI clients can read too, and nothing of its own mistakes', async () => {
    const failures: unknown[] = [new ApiError('provider_failed', 'Ollama is away.'), new Error('detail of ours')]
    const chat: Models['chat'] = async () => {
      throw failures.shift()
    }
    await open({ models: { ...models, chat } })
    const told = await post('/v1/chat/completions', CHAT)
    expect(told.status).toBe(502)
    expect(JSON.parse(told.body)).toMatchObject({ code: 'provider_failed', error: { message: 'Ollama is away.' } })
    const hidden = await post('/v1/chat/completions', CHAT)
    expect(hidden.status).toBe(500)
    expect(hidden.body).not.toContain('detail of ours')
    expect(logged).toContain('detail of ours')
  })
})

describe('the way out', () => {
  it('refuses what is not on the list without looking it up, says how to allow it, and tells once', async () => {
    const lookups: string[] = []
    await open({
      allow: ['other.test'],
      lookup: async name => {
        lookups.push(name)
        return []
      },
    })
    for (let i = 0; i < 2; i++) {
      const answer = await ask('http://example.test/x')
      expect(answer.status).toBe(403)
      expect(JSON.parse(answer.body)).toMatchObject({
        code: 'forbidden',
        remedy: expect.stringContaining('--allow example.test'),
      })
    }
    const tunnel = await raw('CONNECT example.test:8443 HTTP/1.1\r\nHost: x\r\n\r\n')
    expect(tunnel).toMatch(/^HTTP\/1\.1 403 /)
    expect(tunnel).toContain('--allow example.test:8443')
    expect(lookups).toEqual([])
    expect(refused).toEqual([
      'example.test: it is not on the allow-list of the job',
      'example.test:8443: it is not on the allow-list of the job',
    ])
  })

  test.each(['127.0.0.1', '169.254.169.254', '100.100.100.100', 'fd7a:115c:a1e0::1', 'fd00:ec2::254', '::ffff:127.0.0.1', 'x'])(
    'refuses a listed name that leads to %s',
    async address => {
      await open({ allow: ['rebound.test'], lookup: async () => [address] })
      expect((await ask('http://rebound.test/')).status).toBe(403)
      expect(await raw('CONNECT rebound.test:443 HTTP/1.1\r\nHost: x\r\n\r\n')).toMatch(/^HTTP\/1\.1 403 /)
      expect(refused).toEqual(['rebound.test: its name leads to a private address'])
    },
  )

  it('says when a name cannot be resolved', async () => {
    await open({ allow: ['gone.test'], lookup: () => Promise.reject(new Error('ENOTFOUND')) })
    const answer = await ask('http://gone.test/')
    expect(answer.status).toBe(502)
    expect(answer.body).toContain('could not be resolved')
  })

  it('forwards a request to a listed address: whole, with its own Host, and without what belongs to one hop', async () => {
    const seen: unknown[] = []
    const { port } = await outside(({ method, url, headers }, body) => {
      seen.push({ method, url, headers, body })
      return { ok: true }
    })
    await open({ allow: [`127.0.0.1:${port}`] })
    const answer = await ask(`http://127.0.0.1:${port}/a?b=c`, {
      method: 'PUT',
      body: 'hello',
      headers: { host: 'evil.test', 'proxy-authorization': 'secret', connection: 'close, x-mine', 'x-mine': '1', 'x-kept': '2' },
    })
    expect(answer).toMatchObject({ status: 200, body: '{"ok":true}', headers: { 'x-end': '2' } })
    expect(answer.headers).not.toHaveProperty('x-hop')
    expect(seen).toEqual([
      expect.objectContaining({
        method: 'PUT',
        url: '/a?b=c',
        body: 'hello',
        headers: expect.objectContaining({ host: `127.0.0.1:${port}`, 'x-kept': '2' }),
      }),
    ])
    expect(seen).toEqual([expect.objectContaining({ headers: expect.not.objectContaining({ 'x-mine': '1' }) })])
    expect(JSON.stringify(seen)).not.toContain('secret')
  })

  it('frames a body of unknown length anew, whatever the method', async () => {
    const bodies: string[] = []
    const { port } = await outside((_, body) => {
      bodies.push(body)
      return {}
    })
    await open({ allow: [`127.0.0.1:${port}`] })
    const head = `DELETE http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n`
    await raw(`${head}5\r\nhello\r\n0\r\n\r\n`)
    expect(bodies).toEqual(['hello'])
  })

  it('takes no other port of a listed address, and no other scheme', async () => {
    const { port } = await outside(() => ({}))
    await open({ allow: ['127.0.0.1:1'] })
    expect((await ask(`http://127.0.0.1:${port}/`)).status).toBe(403)
    expect((await ask(`ftp://127.0.0.1:1/`)).status).toBe(422)
  })

  it('breaks off an answer that breaks off', async () => {
    const { port, server } = await outside(() => null)
    server.removeAllListeners('request')
    server.on('request', (_asked, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('part')
      setImmediate(() => response.destroy())
    })
    await open({ allow: [`127.0.0.1:${port}`] })
    await expect(ask(`http://127.0.0.1:${port}/`)).rejects.toThrow()
  })

  it('tunnels bytes both ways to a listed address, and ends the tunnel with the gateway', async () => {
    const ended = Promise.withResolvers<void>()
    const echo = createTcpServer(peer => {
      peer.pipe(peer)
      peer.on('error', () => {})
      peer.on('close', () => ended.resolve())
    })
    await new Promise<void>(resolve => echo.listen(0, '127.0.0.1', resolve))
    closing.push(() => new Promise(resolve => echo.close(resolve)))
    const { port } = echo.address() as AddressInfo
    const gateway = await open({ allow: [`127.0.0.1:${port}`] })
    const client = connect(socket)
    client.on('error', () => {})
    client.setEncoding('utf8')
    client.write(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: x\r\n\r\nahead `)
    expect(await until(client, /ahead/)).toMatch(/^HTTP\/1\.1 200 /)
    client.write('and back')
    expect(await until(client, /and back/)).toContain('and back')
    await gateway.close()
    await ended.promise
  })

  it('says so when a listed address does not answer', async () => {
    const { port, server } = await outside(() => ({}))
    await new Promise(resolve => server.close(resolve))
    await open({ allow: [`127.0.0.1:${port}`] })
    expect((await ask(`http://127.0.0.1:${port}/`)).status).toBe(502)
    expect(await raw(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: x\r\n\r\n`)).toMatch(/^HTTP\/1\.1 502 /)
  })

  it('makes no connection for an asker that has gone while the name was looked up', async () => {
    const lookup = Promise.withResolvers<readonly string[]>()
    const asked = Promise.withResolvers<void>()
    const gateway = await open({
      allow: ['slow.test'],
      lookup: () => {
        asked.resolve()
        return lookup.promise
      },
    })
    const client = connect(socket)
    client.on('error', () => {})
    client.write('CONNECT slow.test:443 HTTP/1.1\r\nHost: x\r\n\r\n')
    await asked.promise
    await gateway.close()
    // A public address: only that nobody waits any more keeps it from being dialled.
    lookup.resolve(['1.1.1.1'])
    await new Promise(setImmediate)
    expect(process.getActiveResourcesInfo()).not.toContain('TCPSocketWrap')
    expect(refused).toEqual([])
  })

  it('opens no more than 256 connections, however many requests come at once on however few', async () => {
    let connections = 0
    const { port, server } = await outside(() => null)
    server.on('connection', () => (connections += 1))
    await open({ allow: [`127.0.0.1:${port}`] })
    const client = connect(socket)
    closing.push(async () => void client.destroy())
    client.write(`GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(600))
    await vi.waitFor(() => expect(connections).toBeGreaterThanOrEqual(256))
    // Another way in: refused, since what the first holds counts.
    const tunnel = await raw(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: x\r\n\r\n`)
    expect(tunnel).toMatch(/^HTTP\/1\.1 429 /)
    expect(connections).toBe(256)
  })

  it('survives what is no HTTP', async () => {
    await open()
    const lines = ['\0\0\0', 'GET', 'CONNECT  HTTP/1.1', 'GET http:// HTTP/1.1', 'GET * HTTP/1.1', 'GET x HTTP/1.1']
    for (const line of lines) expect(await raw(`${line}\r\nHost: a\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 4\d\d /)
    expect((await ask('/v1/models')).status).toBe(200)
  })
})

function until(client: Socket, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let seen = ''
    const take = (chunk: string) => {
      seen += chunk
      if (!pattern.test(seen)) return
      client.off('data', take)
      resolve(seen)
    }
    client.on('data', take)
    client.once('close', () => reject(new Error(`closed after ${JSON.stringify(seen)}`)))
  })
}
