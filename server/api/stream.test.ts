import { EventEmitter, once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { type ClientOptions, WebSocket } from 'ws'
import { createEvents } from '#server/events/index.ts'
import { createLogs } from '#server/logs/index.ts'
import { sqliteStore } from '#server/store/sqlite/index.ts'
import { createLog } from '#server/telemetry/index.ts'
import { decodeLogFrame, HEARTBEAT_MS, ServerMessage } from '#shared/contract/index.ts'
import type { EventBody, JobId, Peer, SpecOffer } from '#shared/model/index.ts'
import { AT, moves, newJob } from '#test/contract/job.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { attachStream } from './stream.ts'

const MIB = 1024 * 1024
const TOKEN = 'a-token-of-at-least-32-characters'
const ID = newJob('a').job.id
const QUESTION = '6f1c2f5e-0c1b-4e0e-8f3c-1d2a3b4c5d6e'
const warning = (detail: string): EventBody => ({ type: 'warning', code: 'test', detail })

const OFFER: Omit<SpecOffer, 'repository' | 'id'> = { feature: '001-login', reason: 'Tick it', documents: [], evidence: [] }
const PEER: Peer = {
  ...{ id: 'a'.repeat(26), name: 'desk', address: 'http://desk:1', source: 'listed', state: 'online' },
  ...{ runsOurs: true, weRunTheirs: false, card: null, lastSeenAt: null, problem: null },
}

/** A node with a stream, a store and logs, one job `a`, and one peer. */
async function startNode() {
  const directory = mkdtempSync(join(tmpdir(), 'skein-stream-'))
  const clock = virtualClock()
  const store = await sqliteStore({ file: join(directory, 'skein.db'), clock })
  await store.admit(newJob('a'))
  const logs = createLogs({ directory: join(directory, 'logs') })
  const server = createServer()
  const sockets: Socket[] = []
  const asked: (number | null)[] = []
  const offered = new EventEmitter()
  server.on('connection', socket => sockets.push(socket))
  const stream = attachStream(
    { server },
    {
      node: 'here',
      token: { value: TOKEN, matches: candidate => candidate === TOKEN },
      config: { host: '127.0.0.1', allowedHosts: [], corsAllowedOrigins: ['https://good.example'] },
      events: createEvents({ store }),
      logs,
      isSealed: async id => (await store.log(id)) !== null,
      jobExists: async id => (await store.job(id)) !== null,
      lastSeq: store.lastSeq,
      offers: {
        async *follow(repository, after, signal) {
          yield { ...OFFER, repository, id: after + 1 }
          await once(signal, 'abort')
        },
      },
      modelOffers: {
        async *follow(models, signal) {
          offered.emit('offered', models)
          signal.addEventListener('abort', () => offered.emit('left', models))
          for (const isWanted of [true, false]) yield { id: QUESTION, isWanted }
          await once(signal, 'abort')
        },
      },
      peers: {
        async *follow(after, signal) {
          asked.push(after)
          yield { cursor: 7, whole: after === null, items: [PEER], removed: ['b'.repeat(26)] }
          await once(signal, 'abort')
        },
      },
      clock,
      log: createLog('silent'),
    },
  )
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(async () => {
    stream.close()
    for (const socket of sockets) socket.destroy()
    server.close()
    await store.close()
    rmSync(directory, { recursive: true })
  })
  const { port } = server.address() as AddressInfo
  const open = (options: ClientOptions = {}, protocols: string[] = []) =>
    new WebSocket(`ws://127.0.0.1:${port}/v1/stream`, protocols, options)
  return { clock, store, logs, stream, port, sockets, open, asked, offered }
}
type TestNode = Awaited<ReturnType<typeof startNode>>

/** What a client hears, in order; log frames as `{ type: 'log', … }`. */
function listen(socket: WebSocket) {
  const heard: Heard[] = []
  let wake = () => {}
  socket.on('message', (data, isBinary) => {
    if (isBinary) {
      const { subscription, offset, bytes } = decodeLogFrame(data as Buffer)
      heard.push({ type: 'log', cursor: offset, payload: { subscription, bytes } })
    } else heard.push(ServerMessage.parse(JSON.parse(String(data))))
    wake()
  })
  const closed = new Promise<number>(resolve => socket.once('close', resolve))
  socket.on('error', () => {})
  return {
    socket,
    /** The code it was closed with. */
    closed,
    send: (message: unknown) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    async next(): Promise<Heard> {
      while (heard.length === 0)
        await new Promise<void>(resolve => {
          wake = resolve
        })
      return heard.shift() as Heard
    },
    /** All up to the first of a type, that one included. */
    async until(type: Heard['type']): Promise<Heard[]> {
      const seen: Heard[] = []
      do seen.push(await this.next())
      while (seen.at(-1)?.type !== type)
      return seen
    },
  }
}
type LogFrame = { type: 'log'; cursor: number; payload: { subscription: number; bytes: Uint8Array } }
type Heard = ServerMessage | LogFrame

async function connectTo(node: TestNode, options: ClientOptions = {}) {
  const client = listen(node.open({ headers: { authorization: `Bearer ${TOKEN}` }, ...options }))
  expect(await client.next()).toMatchObject({ type: 'hello', payload: { node: 'here', heartbeatMs: HEARTBEAT_MS } })
  return client
}

/** The bytes of log frames, which must follow on each other from `offset`. */
function bytesOf(heard: readonly Heard[], offset: number): Buffer {
  const pieces: Uint8Array[] = []
  let next = offset
  for (const one of heard) {
    if (one.type !== 'log') continue
    expect(one.cursor).toBe(next)
    next += one.payload.bytes.byteLength
    pieces.push(one.payload.bytes)
  }
  return Buffer.concat(pieces)
}

const openLog = ({ logs }: TestNode, id: JobId = ID) => logs.writer(id, { maxBytes: 256 * MIB, redact: bytes => bytes })

async function seal({ store, logs }: TestNode, id: JobId = ID): Promise<void> {
  await logs.seal(id, sealed => store.sealLog({ jobId: id, ...sealed, sealedAt: AT }, { type: 'log.sealed', ...sealed }))
}

async function endJob({ store }: TestNode): Promise<void> {
  const job = await store.job(ID)
  if (job) await store.change(moves(job, 'cancelled'))
}

const subscribe = (subscription: number, topic: object, cursor?: number) => ({ type: 'subscribe', subscription, topic, cursor })
const log = { name: 'log', jobId: ID }
const job = { name: 'job', jobId: ID }

test('knows a client by header, by subprotocol and by its first message', async () => {
  const node = await startNode()
  await connectTo(node)
  const browser = listen(node.open({}, ['skein', `skein.token.${TOKEN}`]))
  expect((await browser.next()).type).toBe('hello')
  expect(browser.socket.protocol).toBe('skein')
  const late = listen(node.open())
  await once(late.socket, 'open')
  late.send({ type: 'auth', token: TOKEN })
  expect((await late.next()).type).toBe('hello')
})

test('sends away who shows a wrong token, none at all, or asks before showing one', async () => {
  const node = await startNode()
  expect(await listen(node.open({ headers: { authorization: 'Bearer wrong' } })).closed).toBe(1008)
  const eager = listen(node.open())
  await once(eager.socket, 'open')
  eager.send({ type: 'ping' })
  expect(await eager.closed).toBe(1008)
  const wrong = listen(node.open())
  await once(wrong.socket, 'open')
  wrong.send({ type: 'auth', token: 'wrong' })
  expect(await wrong.closed).toBe(1008)
  const silent = listen(node.open())
  await once(silent.socket, 'open')
  node.clock.advance(4_999)
  await turn()
  expect(silent.socket.readyState).toBe(WebSocket.OPEN)
  node.clock.advance(1)
  expect(await silent.closed).toBe(1008)
})

test('refuses pages of foreign origins, foreign names of this machine, and other paths', async () => {
  const node = await startNode()
  const status = async (options: ClientOptions, path = '/v1/stream') => {
    const socket = new WebSocket(`ws://127.0.0.1:${node.port}${path}`, {
      ...options,
      headers: { authorization: `Bearer ${TOKEN}`, ...options.headers },
    })
    const answer = await Promise.race([
      once(socket, 'open').then(() => 101),
      once(socket, 'unexpected-response').then(([, response]) => response.statusCode as number),
    ])
    socket.on('error', () => {}).terminate()
    return answer
  }
  expect(await status({ origin: 'https://evil.example' })).toBe(403)
  expect(await status({ headers: { host: 'rebound.example' } })).toBe(403)
  expect(await status({ origin: 'https://good.example' })).toBe(101)
  expect(await status({ headers: { host: 'localhost:1' } })).toBe(101)
  expect(await status({}, '/v1/streams')).toBe(404)
})

test('survives an address that is none, and a client that breaks off', async () => {
  const node = await startNode()
  const socket = connect(node.port, '127.0.0.1')
  socket.write('GET // HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  expect(await text(socket)).toContain('404')
  const rude = connect(node.port, '127.0.0.1')
  rude.write('GET /v1/stream HTTP/1.1\r\nHost: evil\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  rude.resetAndDestroy()
  await connectTo(node)
})

test('gives the events of a job, then its end, and those of all jobs from now on', async () => {
  const node = await startNode()
  const client = await connectTo(node)
  client.send(subscribe(1, job))
  expect(await client.next()).toMatchObject({ type: 'subscribed', cursor: 0, payload: { subscription: 1 } })
  expect(await client.next()).toMatchObject({ type: 'event', cursor: 1, payload: { event: { body: { type: 'job.created' } } } })
  client.send(subscribe(2, { name: 'jobs' }))
  expect(await client.next()).toMatchObject({ type: 'subscribed', cursor: 1, payload: { subscription: 2 } })
  await node.store.append(ID, [warning('live')], AT)
  const both = [await client.next(), await client.next()].map(({ cursor, payload }) => ({ cursor, payload }))
  for (const subscription of [1, 2])
    expect(both).toContainEqual({ cursor: 2, payload: { subscription, event: expect.objectContaining({ n: 2 }) } })
  client.send({ type: 'unsubscribe', subscription: 2 })
  await endJob(node)
  await seal(node)
  expect((await client.until('end')).map(({ type, cursor }) => [type, cursor])).toContainEqual(['end', 4])
})

test('sends a log from the file and goes on live, one frame for many small writes', async () => {
  const node = await startNode()
  const writer = await openLog(node)
  await writer.write(Buffer.from('before '))
  await writer.flush()
  const client = await connectTo(node)
  client.send(subscribe(7, log))
  expect(await client.next()).toMatchObject({ type: 'subscribed', cursor: 0 })
  expect(await client.next()).toEqual({ type: 'log', cursor: 0, payload: { subscription: 7, bytes: Buffer.from('before ') } })
  for (let index = 0; index < 1000; index++) void writer.write(Buffer.from('0123456789\n'))
  await writer.close()
  await seal(node)
  const rest = await client.until('end')
  expect(rest.map(({ type }) => type)).toEqual(['log', 'end'])
  expect(bytesOf(rest, 7).toString()).toBe('0123456789\n'.repeat(1000))
  expect(rest.at(-1)?.cursor).toBe(11_007)
})

test('a log that is being sealed when its reader comes ends for that reader', async () => {
  const node = await startNode()
  const writer = await openLog(node)
  await writer.write(Buffer.from('all there is'))
  await writer.close()
  const client = await connectTo(node)
  await node.logs.seal(ID, async sealed => {
    client.send(subscribe(1, log))
    // By now the reader has asked whether the log is final, and was told that it is not.
    await client.until('log')
    await node.store.sealLog({ jobId: ID, ...sealed, sealedAt: AT }, { type: 'log.sealed', ...sealed })
  })
  expect((await client.until('end')).at(-1)?.cursor).toBe(12)
})

test('from any offset a reader gets exactly the rest', async () => {
  const node = await startNode()
  const whole = Buffer.from(Array.from({ length: 700_000 }, (_, index) => (index * 7919) % 251))
  const writer = await openLog(node)
  await writer.write(whole)
  await writer.close()
  await seal(node)
  const client = await connectTo(node)
  let id = 0
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.nat(whole.length), fc.constantFrom(0, 262_144, whole.length)), async offset => {
      client.send(subscribe(++id, log, offset))
      const heard = await client.until('end')
      expect(bytesOf(heard, offset).equals(whole.subarray(offset))).toBe(true)
      expect(heard.at(-1)?.cursor).toBe(whole.length)
    }),
    { numRuns: 40 },
  )
})

test('a reader who cuts off and comes back anywhere while the log is written misses nothing', async () => {
  const node = await startNode()
  const client = await connectTo(node)
  const writer = await openLog(node)
  let written = 0
  let id = 0
  for (const size of [1, 300_000, 10, 600_000, 77]) {
    const from = Math.floor(written / 2)
    const bytes = Buffer.alloc(size, String(++id))
    client.send(subscribe(id, log, from))
    expect(await client.next()).toMatchObject({ type: 'subscribed', cursor: from })
    void writer.write(bytes)
    written += size
    let next = from
    while (next < written) {
      const frame = await client.next()
      if (frame.type !== 'log' || frame.payload.subscription !== id) continue
      expect(frame.cursor).toBe(next)
      next += frame.payload.bytes.byteLength
    }
    client.send({ type: 'unsubscribe', subscription: id })
  }
  await writer.close()
})

test('after unsubscribing nothing more comes, and the number is free again', async () => {
  const node = await startNode()
  const client = await connectTo(node)
  const writer = await openLog(node)
  client.send(subscribe(1, log))
  await client.until('subscribed')
  client.send({ type: 'unsubscribe', subscription: 1 })
  client.send({ type: 'ping' })
  await client.until('heartbeat')
  await writer.write(Buffer.from('unheard'))
  await writer.flush()
  client.send(subscribe(1, log, 7))
  expect((await client.next()).type).toBe('subscribed')
  await writer.write(Buffer.from('heard'))
  expect(await client.next()).toMatchObject({ type: 'log', cursor: 7 })
  await writer.close()
})

test('a reader that stops reading costs 1 MiB and a piece for all its subscriptions, and is told', async () => {
  const node = await startNode()
  const client = await connectTo(node)
  const writer = await openLog(node)
  await writer.write(Buffer.from('x'))
  const raw = node.sockets[0] as Socket
  let most = 0
  const { reader } = node.logs
  node.logs.reader = id => {
    const { read, close } = reader(id)
    return {
      close,
      async read(...query) {
        const bytes = await read(...query)
        most = Math.max(most, raw.writableLength + bytes.byteLength)
        return bytes
      },
    }
  }
  const numbers = [1, 2, 3, 4, 5, 6, 7, 8]
  for (const id of numbers) client.send(subscribe(id, log))
  for (const _ of numbers) await client.until('log')
  client.socket.pause()

  const total = 24 * MIB
  for (let done = 0; done < total; done += MIB) await writer.write(Buffer.alloc(MIB, done / MIB))
  await writer.close()
  while (raw.writableLength < MIB) await turn()
  await seal(node)

  client.socket.resume()
  const received = new Map(numbers.map(id => [id, 1]))
  const lagged = new Set<number>()
  for (let ends = 0; ends < numbers.length; ) {
    const one = await client.next()
    if (one.type === 'lagged') {
      lagged.add(one.payload.subscription)
      expect(one.cursor).toBe(received.get(one.payload.subscription))
    } else if (one.type === 'end') ends += 1
    else if (one.type === 'log') {
      expect(one.cursor).toBe(received.get(one.payload.subscription))
      received.set(one.payload.subscription, one.cursor + one.payload.bytes.byteLength)
    }
  }
  expect([...received.values()]).toEqual(numbers.map(() => total + 1))
  expect(lagged.size).toBe(numbers.length)
  expect(most).toBeLessThan(MIB + 2 * 256 * 1024 + 64 * 1024)
})

test('a client that asks without reading the answers is not asked for more', async () => {
  const node = await startNode()
  const client = await connectTo(node)
  client.socket.pause()
  const raw = node.sockets[0] as Socket
  const ping = JSON.stringify({ type: 'ping' })
  let most = 0
  // Until this node reads no more: what the client says then stays on its side.
  while (client.socket.bufferedAmount < 4 * MIB) {
    for (let index = 0; index < 2000; index++) client.send(ping)
    await turn()
    most = Math.max(most, raw.writableLength)
  }
  expect(most).toBeGreaterThan(MIB)
  expect(most).toBeLessThan(2 * MIB)
  client.socket.terminate()
})

test('beats every 10 s while somebody is there, and runs no timer when nobody is', async () => {
  const node = await startNode()
  expect(node.clock.waiting()).toBe(0)
  const client = await connectTo(node)
  expect(node.clock.waiting()).toBe(1)
  for (let beat = 0; beat < 3; beat++) {
    const ping = once(client.socket, 'ping')
    node.clock.advance(HEARTBEAT_MS - 1)
    node.clock.advance(1)
    expect(await client.next()).toMatchObject({ type: 'heartbeat', cursor: null })
    await ping
    // The answer to this comes after the pong has been read.
    client.send({ type: 'ping' })
    expect((await client.next()).type).toBe('heartbeat')
  }
  client.socket.close()
  await client.closed
  while (node.clock.waiting() > 0) await turn()
})

test('ends the connection of a client that answers no ping', async () => {
  const node = await startNode()
  const client = await connectTo(node, { autoPong: false })
  node.clock.advance(HEARTBEAT_MS)
  await client.until('heartbeat')
  node.clock.advance(HEARTBEAT_MS)
  expect(await client.closed).toBe(1006)
})

test('complains of what it does not understand, and in the end closes', async () => {
  const node = await startNode()
  const client = await connectTo(node)
  const missing = newJob('missing').job.id
  const bad = [
    ['not json', 'invalid_request'],
    [{ type: 'subscribe', subscription: 0, topic: log }, 'invalid_request'],
    [{ type: 'subscribe', subscription: 1, topic: { name: 'all' } }, 'invalid_request'],
    [subscribe(3, { name: 'job', jobId: missing }), 'not_found'],
    [subscribe(4, log, 1), 'offset_out_of_range'],
  ] as const
  for (const [message, code] of bad) {
    client.send(message)
    expect(await client.next()).toMatchObject({ type: 'error', payload: { problem: { code } } })
  }
  for (let index = 0; index < 7; index++) client.socket.send(Buffer.from([1, 2]))
  expect(await client.closed).toBe(1008)
})

test('allows 256 subscriptions, each number once', async () => {
  const node = await startNode()
  const client = await connectTo(node)
  for (let id = 1; id <= 256; id++) client.send(subscribe(id, log))
  for (let id = 1; id <= 256; id++) await client.until('subscribed')
  client.send(subscribe(257, log))
  expect(await client.next()).toMatchObject({ payload: { subscription: 257, problem: { code: 'too_many_requests' } } })
  client.send(subscribe(5, log))
  expect(await client.next()).toMatchObject({ payload: { subscription: 5, problem: { code: 'invalid_request' } } })
})

test('says that the node is going, and waits a second for who does not listen', async () => {
  const node = await startNode()
  const client = await connectTo(node)
  const deaf = await connectTo(node)
  deaf.socket.pause()
  node.stream.close()
  expect(await client.closed).toBe(1001)
  expect(node.sockets[1]?.destroyed).toBe(false)
  node.clock.advance(1_000)
  expect(node.sockets[1]?.destroyed).toBe(true)
  expect(await once(connect(node.port, '127.0.0.1'), 'connect')).toEqual([])
})

test('peers come as they are, with a cursor that can be gone on from, until nobody wants them any more', async () => {
  const node = await startNode()
  const client = await connectTo(node)
  client.send({ type: 'subscribe', subscription: 3, topic: { name: 'peers' } })
  client.send({ type: 'subscribe', subscription: 4, topic: { name: 'peers' }, cursor: 7 })
  const heard = [await client.next(), await client.next(), await client.next(), await client.next()]
  const told = heard.filter(({ type }) => type === 'peers')
  expect(told).toMatchObject([
    { cursor: 7, payload: { subscription: 3, whole: true, items: [PEER], removed: ['b'.repeat(26)] } },
    { cursor: 7, payload: { subscription: 4, whole: false } },
  ])
  expect(node.asked).toEqual([null, 7])
  client.send({ type: 'unsubscribe', subscription: 3 })
  client.send({ type: 'ping' })
  expect(await client.next()).toMatchObject({ type: 'heartbeat' })
  client.socket.close()
})

test('changes of specs come as offers, with their id as the cursor', async () => {
  const node = await startNode()
  const client = await connectTo(node)
  client.send({ type: 'subscribe', subscription: 3, topic: { name: 'specs', repository: '/src/app' }, cursor: 8 })
  expect(await client.next()).toMatchObject({ type: 'subscribed', cursor: 8 })
  const offer = { ...OFFER, repository: '/src/app', id: 9 }
  expect(await client.next()).toMatchObject({ type: 'offer', cursor: 9, payload: { subscription: 3, offer } })
  client.socket.close()
})

test('models are offered for as long as their topic is followed, and what is asked of them comes', async () => {
  const node = await startNode()
  const client = await connectTo(node)
  const begun = once(node.offered, 'offered')
  client.send({ type: 'subscribe', subscription: 3, topic: { name: 'models', models: ['a/one'] } })
  expect(await begun).toEqual([['a/one']])
  const heard = [await client.next(), await client.next(), await client.next()]
  expect(heard).toMatchObject([
    { type: 'subscribed' },
    { type: 'modelQuestion', cursor: null, payload: { subscription: 3, question: { id: QUESTION, isWanted: true } } },
    { type: 'modelQuestion', cursor: null, payload: { subscription: 3, question: { id: QUESTION, isWanted: false } } },
  ])
  const left = once(node.offered, 'left')
  client.socket.close()
  await left
})
