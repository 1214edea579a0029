import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { type ClientMessage, LOG_HEADER_BYTES, writeLogHeader } from '#shared/contract/index.ts'
import type { EventBody } from '#shared/model/index.ts'
import { type FollowOptions, followJob, type StreamItem } from './stream.ts'

const JOB = 'aaaaaa11111111'
const ts = '2026-01-01T00:00:00.000Z'
type Subscribe = Extract<ClientMessage, { type: 'subscribe' }>

/** One connection as the server sees it. */
interface Peer {
  readonly socket: WebSocket
  readonly authorization: string | undefined
  /** The subscriptions asked for, by topic. */
  readonly wanted: ReadonlyMap<string, Subscribe>
  event(n: number): void
  log(offset: number, text: string): void
  end(topic: 'job' | 'log'): void
  say(type: string, payload: object): void
}

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

/** A server that plays one scene a connection, once the client has subscribed to `topics`; the last scene repeats. */
async function stage(
  topics: number,
  ...scenes: ((peer: Peer) => void)[]
): Promise<{ url: string; cursors: (number | undefined)[][] }> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  closers.push(async () => {
    for (const client of server.clients) client.terminate()
    await new Promise(resolve => server.close(resolve))
  })
  const cursors: (number | undefined)[][] = []
  let connections = 0
  server.on('connection', (socket, request) => {
    const scene = scenes[Math.min(connections++, scenes.length - 1)]
    const wanted = new Map<string, Subscribe>()
    const say = (type: string, payload: object) => socket.send(JSON.stringify({ type, ts, cursor: null, payload }))
    const peer: Peer = {
      socket,
      authorization: request.headers.authorization,
      wanted,
      say,
      event: n =>
        say('event', { subscription: wanted.get('job')?.subscription, event: { seq: n, jobId: JOB, n, at: ts, body: body(n) } }),
      log(offset, text) {
        const frame = Buffer.concat([Buffer.alloc(LOG_HEADER_BYTES), Buffer.from(text)])
        writeLogHeader(frame, wanted.get('log')?.subscription ?? 1, offset)
        socket.send(frame)
      },
      end: topic => say('end', { subscription: wanted.get(topic)?.subscription }),
    }
    say('hello', { node: 'test', heartbeatMs: 10_000 })
    socket.on('message', data => {
      const message = JSON.parse(String(data)) as Subscribe
      wanted.set(message.topic.name, message)
      say('subscribed', { subscription: message.subscription })
      if (wanted.size < topics) return
      cursors.push([wanted.get('job')?.cursor, wanted.get('log')?.cursor])
      scene?.(peer)
    })
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, cursors }
}

const body = (n: number): EventBody => ({ type: 'warning', code: 'test', detail: String(n) })

const follow = (url: string, options: Partial<FollowOptions> = {}) =>
  followJob({
    url,
    token: 'secret',
    jobId: JOB,
    signal: new AbortController().signal,
    retry: { firstMs: 1, longestMs: 2, patienceMs: 10_000 },
    ...options,
  })

async function collect(items: AsyncIterable<StreamItem>): Promise<{ events: number[]; log: string; others: string[] }> {
  const seen = { events: [] as number[], log: '', others: [] as string[] }
  for await (const item of items) {
    if (item.type === 'event') seen.events.push(item.event.n)
    else if (item.type === 'log') {
      expect(item.offset).toBe(seen.log.length)
      seen.log += new TextDecoder().decode(item.bytes)
    } else seen.others.push(item.type)
  }
  return seen
}

describe('followJob', () => {
  test('gives events and log to the end, with the token in the header', async () => {
    let authorization: string | undefined
    const { url } = await stage(2, peer => {
      authorization = peer.authorization
      peer.event(1)
      peer.log(0, 'hello ')
      peer.log(6, 'world')
      peer.event(2)
      peer.end('log')
      peer.end('job')
    })
    expect(await collect(follow(url, { events: 0, log: 0 }))).toEqual({ events: [1, 2], log: 'hello world', others: [] })
    expect(authorization).toBe('Bearer secret')
  })

  test('goes on after a lost connection without gap or repeat', async () => {
    const { url, cursors } = await stage(
      2,
      peer => {
        peer.event(1)
        peer.log(0, 'abc')
        peer.socket.close()
      },
      peer => {
        // A server may send again what a client has seen; it must not show twice.
        peer.event(1)
        peer.log(0, 'abcde')
        peer.event(2)
        peer.socket.terminate()
      },
      peer => {
        peer.log(3, 'def')
        peer.event(3)
        peer.end('job')
        peer.end('log')
      },
    )
    expect(await collect(follow(url, { events: 0, log: 0 }))).toEqual({
      events: [1, 2, 3],
      log: 'abcdef',
      others: ['lost', 'back', 'lost', 'back'],
    })
    expect(cursors[0]).toEqual([0, 0])
    expect(cursors[1]).toEqual([1, 3])
  })

  test('asks again from where it stands when something is missing', async () => {
    const { url, cursors } = await stage(
      2,
      peer => {
        peer.event(1)
        peer.event(3)
      },
      peer => {
        peer.event(2)
        peer.log(5, 'late')
      },
      peer => {
        peer.event(3)
        peer.log(0, 'first')
        peer.end('log')
        peer.end('job')
      },
    )
    const seen = await collect(follow(url, { events: 0, log: 0 }))
    expect([seen.events, seen.log]).toEqual([[1, 2, 3], 'first'])
    expect(cursors).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
    ])
  })

  test('does not subscribe again to what has ended', async () => {
    const { url, cursors } = await stage(
      1,
      peer => {
        if (!peer.wanted.has('log')) return
        peer.log(0, 'all')
        peer.end('log')
        peer.event(1)
        peer.socket.close()
      },
      peer => {
        peer.event(2)
        peer.end('job')
      },
    )
    const seen = await collect(follow(url, { events: 0, log: 0 }))
    expect([seen.events, seen.log]).toEqual([[1, 2], 'all'])
    expect(cursors.at(-1)).toEqual([1, undefined])
  })

  test('a slow reader loses nothing', async () => {
    const lines = Array.from({ length: 2000 }, (_, index) => `line ${index}\n`)
    const { url } = await stage(1, peer => {
      let offset = 0
      for (const line of lines) {
        peer.log(offset, line)
        offset += line.length
      }
      peer.end('log')
    })
    let log = ''
    for await (const item of follow(url, { log: 0 })) {
      if (item.type !== 'log') continue
      log += new TextDecoder().decode(item.bytes)
      await new Promise(setImmediate)
    }
    expect(log).toBe(lines.join(''))
  })

  test('a refused token and an unknown job are told at once', async () => {
    const refusing = await stage(1, peer => peer.socket.close(1008, 'a token is needed'))
    await expect(collect(follow(refusing.url, { log: 0 }))).rejects.toMatchObject({ exitCode: 77 })
    const problem = { type: 'about:blank', title: 'x', status: 404, detail: 'There is no such job.', code: 'not_found' }
    const unknown = await stage(1, peer => peer.say('error', { subscription: 2, problem }))
    await expect(collect(follow(unknown.url, { log: 0 }))).rejects.toMatchObject({
      code: 'not_found',
      message: 'There is no such job.',
    })
  })

  test('gives up a server that stays away, and says how to go on', async () => {
    const { url } = await stage(1, () => {})
    for (const close of closers.splice(0)) await close()
    const patience = { firstMs: 1, longestMs: 2, patienceMs: 20 }
    await expect(collect(follow(url, { log: 0, retry: patience }))).rejects.toMatchObject({ exitCode: 69 })
  })

  test('ends when it is told to, while connected and while waiting', async () => {
    const stop = new AbortController()
    const { url } = await stage(1, peer => peer.log(0, 'x'))
    for await (const item of follow(url, { log: 0, signal: stop.signal })) if (item.type === 'log') stop.abort()
    const waiting = new AbortController()
    const slow = { firstMs: 60_000, longestMs: 60_000, patienceMs: 120_000 }
    for await (const item of follow('http://127.0.0.1:9', { log: 0, signal: waiting.signal, retry: slow })) {
      if (item.type === 'lost') waiting.abort()
    }
  })
})
