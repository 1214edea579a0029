import type { ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { createParser } from 'eventsource-parser'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Call } from '#server/lib/call.ts'
import { ApiError, operations } from '#shared/contract/index.ts'
import type { JobEvent } from '#shared/model/index.ts'
import { virtualClock } from '../fakes/clock.ts'
import { sample } from './api-arbitrary.ts'
import { type SampleApi, type SampleHandlers, startApi } from './api-sample.ts'

const ID = '0123456789abcd'
const clock = virtualClock()

let api: SampleApi
const start = async (handlers: SampleHandlers) => {
  api = await startApi({ handlers, clock })
}
afterEach(() => api[Symbol.asyncDispose]())

/** A stream that a test feeds, and that tells when it was ended from outside. */
function feed<T>() {
  const waiting: ((item: IteratorResult<T>) => void)[] = []
  const ready: T[] = []
  const ended = Promise.withResolvers<void>()
  const items: AsyncIterableIterator<T> = {
    [Symbol.asyncIterator]: () => items,
    next: () => {
      const item = ready.shift()
      return item === undefined ? new Promise(resolve => waiting.push(resolve)) : Promise.resolve({ done: false, value: item })
    },
    return: async () => {
      ended.resolve()
      return { done: true, value: undefined }
    },
  }
  const push = (item: T) => (waiting.shift() ?? (({ value }) => ready.push(value)))({ done: false, value: item })
  return { items, push, ended: ended.promise }
}

const aborted = ({ signal }: Call) =>
  new Promise<void>(resolve => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve())))

/** Reads server-sent events one by one. */
function events(response: Response) {
  const seen: { id: string | undefined; data: unknown }[] = []
  const parser = createParser({ onEvent: ({ id, data }) => void seen.push({ id, data: JSON.parse(data) }) })
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  return {
    async next() {
      while (seen.length === 0) {
        const { done, value } = await reader.read()
        if (done) return null
        parser.feed(new TextDecoder().decode(value))
      }
      return seen.shift() ?? null
    },
    cancel: () => reader.cancel(),
  }
}

const event = (n: number): JobEvent => ({ ...(sample(operations.listEvents.answer.item) as JobEvent), jobId: ID, n })

describe('events', () => {
  const follow = (headers: Record<string, string> = {}) =>
    api.request(`/v1/jobs/${ID}/events`, { headers: { accept: 'text/event-stream', ...headers } })

  test('come as they happen, with the number to resume from', async () => {
    const { items, push } = feed<JobEvent>()
    const inputs: unknown[] = []
    await start({
      listEvents: async input => {
        inputs.push(input)
        return { page: vi.fn(), follow: () => items }
      },
    })
    const response = await follow({ 'last-event-id': '41' })
    expect(response.headers.get('content-type')).toMatch('text/event-stream')
    expect(inputs).toMatchObject([{ params: { id: ID }, headers: { 'last-event-id': 41 } }])
    const stream = events(response)
    for (const n of [42, 43]) {
      push(event(n))
      expect(await stream.next()).toEqual({ id: String(n), data: event(n) })
    }
    await stream.cancel()
  })

  test('a reader that goes away ends them', async () => {
    const { items, ended } = feed<JobEvent>()
    let call: Call | undefined
    await start({
      listEvents: async (_, given) => {
        call = given
        return { page: vi.fn(), follow: () => items }
      },
    })
    const stream = events(await follow())
    await stream.cancel()
    await ended
    await aborted(call as Call)
  })

  test('a job that is not there is a status, not a stream', async () => {
    await start({
      listEvents: async () => {
        throw new ApiError('not_found', 'No such job.')
      },
    })
    const response = await follow()
    expect([response.status, response.headers.get('content-type')]).toEqual([404, 'application/problem+json'])
  })

  test.each(['application/json', '*/*', 'text/event-stream;q=0', 'text/html'])('Accept: %s gets a page', async accept => {
    await start({})
    expect((await follow({ accept })).headers.get('content-type')).toBe('application/json')
  })

  test('HEAD starts no stream', async () => {
    const never = vi.fn()
    await start({ listEvents: async () => ({ page: never, follow: never }) })
    const response = await api.request(`/v1/jobs/${ID}/events`, { method: 'HEAD', headers: { accept: 'text/event-stream' } })
    expect([response.status, never.mock.calls.length]).toEqual([200, 0])
  })
})

describe('bytes', () => {
  const PIECE = new Uint8Array(64 * 1024)

  /** Endless bytes, counting what was taken and telling when they were ended. */
  function endless() {
    const seen = { bytes: 0 }
    const ended = Promise.withResolvers<void>()
    async function* pieces() {
      try {
        for (;;) {
          seen.bytes += PIECE.length
          yield PIECE
        }
      } finally {
        ended.resolve()
      }
    }
    return { seen, body: pieces(), ended: ended.promise }
  }

  test('wait for a slow reader in bounded memory, and end when it goes away', async () => {
    const { seen, body, ended } = endless()
    await start({ getDiff: async () => ({ body }) })
    const answering = new Promise<ServerResponse>(resolve => api.api.server.on('request', (_, outgoing) => resolve(outgoing)))
    const response = await api.request(`/v1/jobs/${ID}/diff`)
    const outgoing = await answering
    await vi.waitFor(() => expect(outgoing.writableNeedDrain).toBe(true))
    // The kernel's buffers of both ends, which are a few MiB on loopback, and one piece of ours.
    await vi.waitFor(async () => {
      const before = seen.bytes
      await new Promise(setImmediate)
      expect(seen.bytes).toBe(before)
    })
    expect(seen.bytes).toBeLessThan(32 * 1024 * 1024)
    await response.body?.cancel()
    await ended
  })

  test('carry the headers of the handler', async () => {
    await start({ readLog: async () => ({ headers: { 'skein-log-size': '3' }, body: new Uint8Array([1, 2, 3]) }) })
    const response = await api.request(`/v1/jobs/${ID}/logs`)
    expect(response.headers.get('skein-log-size')).toBe('3')
    expect(response.headers.get('content-type')).toBe('application/octet-stream')
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(new Uint8Array([1, 2, 3]))
  })

  test('that fail before the first are a status', async () => {
    // biome-ignore lint/correctness/useYield: fails before it has anything to give
    async function* broken(): AsyncGenerator<Uint8Array> {
      throw new ApiError('no_result', 'Nothing was changed.')
    }
    await start({ getDiff: async () => ({ body: broken() }) })
    expect((await api.request(`/v1/jobs/${ID}/diff`)).status).toBe(404)
  })

  test('that fail midway break the connection, say nothing more, and are logged', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield PIECE
      throw new Error('disk gone at /home/someone')
    }
    await start({ getDiff: async () => ({ body: broken() }) })
    const response = await api.request(`/v1/jobs/${ID}/diff`)
    await expect(response.arrayBuffer()).rejects.toThrow()
    expect(api.log.map(({ err }) => (err as Error | undefined)?.message)).toContain('disk gone at /home/someone')
  })

  test('are not read for HEAD', async () => {
    const { body, ended } = endless()
    await start({ getDiff: async () => ({ body }) })
    expect((await api.request(`/v1/jobs/${ID}/diff`, { method: 'HEAD' })).status).toBe(200)
    await ended
  })
})

describe('models', () => {
  const chat = (signal?: AbortSignal) =>
    api.request('/v1/chat/completions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], stream: true, seed: 7 }),
      ...(signal ? { signal } : {}),
    })

  test('pass through as they are, fields this node does not know included', async () => {
    const inputs: unknown[] = []
    await start({
      chat: async input => {
        inputs.push(input)
        return new Response('{"id":"x"}', {
          status: 200,
          headers: { 'content-type': 'application/json', 'set-cookie': 'a=b', 'x-provider': 'p' },
        })
      },
    })
    const response = await chat()
    expect([response.status, await response.text()]).toEqual([200, '{"id":"x"}'])
    expect(Object.fromEntries(response.headers)).not.toHaveProperty('set-cookie')
    expect(Object.fromEntries(response.headers)).not.toHaveProperty('x-provider')
    expect(inputs).toMatchObject([{ body: { model: 'm', seed: 7 } }])
  })

  test('stream piece by piece, and end upstream when the caller goes away', async () => {
    const upstream = Promise.withResolvers<void>()
    let call: Call | undefined
    await start({
      chat: async (_, given) => {
        call = given
        const body = new ReadableStream({
          start: stream => stream.enqueue(new TextEncoder().encode('data: {"n":1}\n\n')),
          cancel: () => upstream.resolve(),
        })
        return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
      },
    })
    const stream = events(await chat())
    expect(await stream.next()).toMatchObject({ data: { n: 1 } })
    await stream.cancel()
    await Promise.all([upstream.promise, aborted(call as Call)])
  })

  test('hear of a caller that goes away before they answer', async () => {
    const started = Promise.withResolvers<void>()
    const ended = Promise.withResolvers<void>()
    await start({
      chat: async (_, call) => {
        started.resolve()
        await aborted(call)
        ended.resolve()
        throw new Error('aborted')
      },
    })
    const caller = new AbortController()
    const answer = chat(caller.signal)
    await started.promise
    caller.abort()
    await expect(answer).rejects.toThrow()
    await ended.promise
  })
})

describe('stopping', () => {
  test('new requests are refused, those under way finish, streams end', async () => {
    const { items, push } = feed<JobEvent>()
    const begun = Promise.withResolvers<void>()
    const finish = Promise.withResolvers<void>()
    await start({
      listEvents: async () => ({ page: vi.fn(), follow: () => items }),
      listAgents: async () => {
        begun.resolve()
        await finish.promise
        return { status: 200, body: { items: [] } }
      },
    })
    const following = await api.request(`/v1/jobs/${ID}/events`, { headers: { accept: 'text/event-stream' } })
    const stream = events(following)
    push(event(1))
    expect((await stream.next())?.id).toBe('1')
    const slow = api.request('/v1/agents')
    await begun.promise
    const closed = api.api.close(60_000)
    expect(await stream.next()).toBeNull()
    await expect(api.request('/v1/jobs')).rejects.toThrow()
    finish.resolve()
    expect((await slow).status).toBe(200)
    await closed
  })

  test('a request on a connection that was open already is told to come back', async () => {
    await start({})
    const connected = new Promise(resolve => api.api.server.once('connection', resolve))
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1')
    await connected
    const closed = api.api.close(60_000)
    socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const answer = await text(socket)
    expect(answer).toMatch(/^HTTP\/1\.1 503 /)
    expect(answer).toMatch(/connection: close/i)
    expect(answer).toContain('not_ready')
    await closed
  })

  test('a connection that never asked anything does not hold it up', async () => {
    await start({})
    const connected = new Promise(resolve => api.api.server.once('connection', resolve))
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1')
    await connected
    const closed = api.api.close(60_000)
    clock.advance(250)
    await closed
    expect(await text(socket)).toBe('')
  })

  test('what does not finish is broken off when the grace is over', async () => {
    const begun = Promise.withResolvers<Call>()
    await start({
      listAgents: (_, call) => {
        begun.resolve(call)
        return new Promise(() => {})
      },
    })
    const stuck = api.request('/v1/agents')
    const call = await begun.promise
    const closed = api.api.close(5_000)
    clock.advance(4_999)
    expect(call.signal.aborted).toBe(false)
    clock.advance(1)
    await Promise.all([expect(stuck).rejects.toThrow(), closed, aborted(call)])
  })
})
