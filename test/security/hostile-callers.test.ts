import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { sha256 } from '#server/peers/index.ts'
import { JobSpec, type Snapshot } from '#shared/model/index.ts'
import { type Assertion, type FakePeer, startFakePeer } from '#test/fakes/peer.ts'
import { hasSandbox } from '../e2e/node.ts'
import { type Served, serve } from './served.ts'

const MiB = 1024 * 1024
const GiB = 1024 * MiB
const JOB = '0000000000000a'
/** As a home sends it. */
const SPEC = JobSpec.parse({ agent: 'command', executor: 'process', argv: ['true'] })

/** A worker that takes jobs of an honest home, and of a node that means no good. */
let worker: Served
let home: Served
let evil: FakePeer
let stranger: FakePeer
const sockets = new Set<Socket>()

beforeAll(async () => {
  ;[worker, home, evil, stranger] = await Promise.all([
    serve('worker'),
    serve('home'),
    startFakePeer('evil'),
    startFakePeer('stranger'),
  ])
  const { code } = await worker.client.createPairingCode()
  await home.client.addPeer({ body: { address: worker.url, code } })
  const { code: other } = await worker.client.createPairingCode()
  expect((await evil.pair(worker.url, other)).status).toBe(200)
})
afterAll(async () => {
  for (const one of [worker, home, evil, stranger]) await one?.[Symbol.asyncDispose]()
})

/** What an honest home asked for meanwhile, and how much memory the worker had needed before. */
let honest: Promise<{ state: string }>
let peakBefore: number
beforeEach(() => {
  peakBefore = worker.peakBytes()
  honest = home.run({ agent: 'command', argv: ['sh', '-c', 'sleep 0.5; echo fine'], where: { on: ['worker'] } })
})
afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  sockets.clear()
  expect((await honest).state).toBe('succeeded')
  expect(worker.peakBytes() - peakBefore).toBeLessThan(200 * MiB)
})

function connect(): Socket {
  const { hostname, port } = new URL(worker.url)
  const socket = createConnection({ host: hostname, port: Number(port) })
  socket.on('error', () => {})
  sockets.add(socket)
  return socket
}

const announcement = { jobId: JOB, epoch: 1, agent: 'command', executor: 'process', model: null, labels: {}, gpu: false }
const announce = (body: unknown = { ...announcement, repository: null }) => ({
  method: 'POST',
  path: '/v1/peer/announce',
  body: typeof body === 'string' ? body : JSON.stringify(body),
})
const told = async (answer: Response) => ({
  status: answer.status,
  ...((await answer.json()) as { code: string; detail: string }),
})

/** Gets the fake an attempt of its own. @returns its path */
let lastEpoch = 0
async function attempt(id: string, epoch = ++lastEpoch): Promise<string> {
  const bid = (await (await evil.ask(worker, announce({ ...announcement, jobId: id, epoch, repository: null }))).json()) as {
    bidId: string
  }
  const snapshot: Snapshot = { repositoryId: 'r', commit: 'c'.repeat(40), base: null, dirty: false, branch: null }
  const award = {
    ...{ bidId: bid.bidId, jobId: id, epoch, leaseMs: 5_000, logOffset: 0, title: 't', snapshot },
    spec: SPEC,
  }
  const answer = await evil.ask(worker, { method: 'POST', path: '/v1/peer/award', body: JSON.stringify(award) })
  expect(answer.status, await answer.clone().text()).toBe(200)
  return `/v1/peer/attempts/${id}/${epoch}`
}

describe.skipIf(!hasSandbox)('a node that means no good, at a worker', () => {
  it('that sends random bytes is cut off', async () => {
    const socket = connect()
    socket.write(randomBytes(64 * 1024))
    socket.resume()
    await once(socket, 'close')
  })

  it('that sends its head and its body a byte at a time holds up nobody', async () => {
    for (let index = 0; index < 200; index++)
      connect().write('POST /v1/peer/announce HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n')
    expect((await worker.client.health()).ok).toBe(true)
  })

  it.each<[string, string]>([
    ['no JSON', '{"jobId": '],
    ['NaN', `{"jobId": "${JOB}", "epoch": NaN}`],
    ['another document', JSON.stringify({ hello: 'world' })],
    ['a job id that is a path', JSON.stringify({ ...announcement, jobId: '../../etc', repository: null })],
    ['an epoch below the first', JSON.stringify({ ...announcement, epoch: -1, repository: null })],
  ])('that asks with %s is told what is wrong', async (_, body) => {
    const answer = await told(await evil.ask(worker, announce(body)))
    expect([400, 422]).toContain(answer.status)
    expect(answer.detail).not.toBe('')
  })

  it('that sends a document without an end is cut off', async () => {
    let sent = 0
    const body = new ReadableStream({
      pull(stream) {
        sent += 64 * 1024
        stream.enqueue(new Uint8Array(64 * 1024).fill(0x20))
        if (sent > GiB) stream.close()
      },
    })
    const headers = { authorization: await evil.sign(worker.id, announce('')), 'content-type': 'application/json' }
    const asked = fetch(worker.url + announce().path, { method: 'POST', body, headers, duplex: 'half' } as RequestInit)
    const answer = await asked.then(told).catch(error => ({ status: 0, code: String(error.cause?.code), detail: '' }))
    expect(['body_too_large', 'EPIPE', 'ECONNRESET', 'UND_ERR_SOCKET']).toContain(answer.code)
    expect(sent).toBeLessThan(32 * MiB)
  })

  it.each<[string, () => Partial<Assertion>, RegExp]>([
    ['is for another node', () => ({ audience: 'b'.repeat(26) }), /is for node b{26}/],
    ['has expired', () => ({ issuedAt: Math.floor(Date.now() / 1000) - 600 }), /by the caller's clock/],
    ['lives for a day', () => ({ lifeS: 86_400 }), /lives too long/],
    ['is from tomorrow', () => ({ issuedAt: Math.floor(Date.now() / 1000) + 86_400 }), /by the caller's clock/],
    ['is for another path', () => ({ path: '/v1/peer/award' }), /is for POST \/v1\/peer\/award/],
    ['is for another method', () => ({ method: 'GET' }), /is for GET/],
    ['is for another body', () => ({ body: 'f'.repeat(64) }), /not the one that was signed/],
    ['is in the name of the honest home', () => ({ issuer: home.id }), /signature does not hold/],
  ])('that shows an assertion which %s is not let in, and the log says so', async (_, lie, why) => {
    const answer = await told(await evil.ask(worker, announce(), lie()))
    expect(answer).toMatchObject({ status: 401, code: 'unauthorized' })
    expect(answer.detail).toMatch(why)
    await expect.poll(worker.log).toMatch(why)
  })

  it('that shows an assertion again is not let in', async () => {
    const lie = { id: randomUUID() }
    expect((await evil.ask(worker, announce(), lie)).status).toBe(200)
    const again = await told(await evil.ask(worker, announce(), lie))
    expect(again).toMatchObject({ status: 401, detail: expect.stringContaining('used before') })
    await expect.poll(worker.log).toContain('used before')
  })

  it('that was never paired gets nothing, and cannot fill the log', async () => {
    const before = worker.log().length
    for (let count = 0; count < 200; count++) expect((await stranger.ask(worker, announce())).status).toBe(401)
    await expect.poll(worker.log).toContain(`Node ${stranger.id} is not trusted here`)
    expect(worker.log().length - before).toBeLessThan(20_000)
  })

  it('that speaks only another protocol cannot pair, and is told which this node speaks', async () => {
    const { code } = await worker.client.createPairingCode()
    const answer = await told(await stranger.pair(worker.url, code, { protocol: { min: 900, max: 901 } }))
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.detail).toContain('protocol 900 to 901')
  })

  it('that takes the attempt of another home for its own learns nothing of it', async () => {
    const { jobId } = await home.client.createJob({
      body: { agent: 'command', argv: ['sleep', '1'], where: { on: ['worker'] } },
    })
    for (const path of [`/v1/peer/attempts/${jobId}/1/log`, `/v1/peer/attempts/${jobId}/1/result`]) {
      const answer = await told(await evil.ask(worker, { method: 'GET', path }))
      expect(['not_yours', 'no_result']).toContain(answer.code)
    }
    const settled = await evil.ask(worker, { method: 'POST', path: `/v1/peer/attempts/${jobId}/1/settle` })
    expect(settled.status === 409 || settled.status === 200).toBe(true)
  })

  it('that awards what it was not promised, or twice, gets no place', async () => {
    const path = '/v1/peer/award'
    const award = { bidId: 'made up', jobId: JOB, epoch: 1, leaseMs: 5_000, logOffset: 0, title: 't', snapshot: null }
    const body = JSON.stringify({ ...award, spec: SPEC })
    expect(await told(await evil.ask(worker, { method: 'POST', path, body }))).toMatchObject({ code: 'not_yours' })
  })

  it('that announces a snapshot of 10 GiB and more is refused before it sends it', async () => {
    const path = await attempt('0000000000000b')
    const ship = (total: number, body: Uint8Array) =>
      evil.ask(worker, { method: 'PUT', path: `${path}/snapshot?offset=0&total=${total}&sha256=${'0'.repeat(64)}`, body })
    expect(await told(await ship(11 * GiB, new Uint8Array(1)))).toMatchObject({ code: 'body_too_large' })
    expect(await told(await ship(10, new Uint8Array(1000)))).toMatchObject({ code: 'body_too_large' })
  })

  it('that streams a snapshot without an end is cut off at one piece', async () => {
    const path = `${await attempt('0000000000000c')}/snapshot?offset=0&total=${10 * GiB}&sha256=${'0'.repeat(64)}`
    let sent = 0
    const body = new ReadableStream({
      pull(stream) {
        sent += MiB
        stream.enqueue(randomBytes(MiB))
        if (sent > GiB) stream.close()
      },
    })
    const headers = {
      authorization: await evil.sign(worker.id, { method: 'PUT', path }),
      'content-type': 'application/octet-stream',
    }
    const answer = await fetch(worker.url + path, { method: 'PUT', body, headers, duplex: 'half' } as RequestInit)
      .then(told)
      .catch(error => ({ code: String(error.cause?.code) }))
    expect(['body_too_large', 'EPIPE', 'ECONNRESET', 'UND_ERR_SOCKET']).toContain(answer.code)
    expect(sent).toBeLessThan(64 * MiB)
  })

  it('that sends a snapshot which is none gets its attempt back as failed', async () => {
    const path = await attempt('0000000000000d')
    const body = randomBytes(5000)
    const query = `offset=0&total=${body.byteLength}&sha256=${sha256(body)}`
    expect((await evil.ask(worker, { method: 'PUT', path: `${path}/snapshot?${query}`, body })).status).toBe(200)
    const renewal = { leaseMs: 5_000, mark: null, after: 0, waitMs: 20_000, cancel: false }
    const report = await evil.ask(worker, { method: 'POST', path: `${path}/renew`, body: JSON.stringify(renewal) })
    expect(await report.json()).toMatchObject({ end: { kind: 'failed', failure: { code: 'snapshot_failed' } } })
  })

  it.each([
    ['a negative lease', { leaseMs: -1 }],
    ['a wait of an hour', { waitMs: 3_600_000 }],
    ['a mark that is no number', { mark: 'now' }],
  ])('that renews with %s is refused', async (_, lie) => {
    const path = await attempt(`000000000000${Math.floor(Math.random() * 90 + 10)}`)
    const renewal = { leaseMs: 5_000, mark: null, after: 0, waitMs: 0, cancel: false, ...lie }
    const answer = await evil.ask(worker, { method: 'POST', path: `${path}/renew`, body: JSON.stringify(renewal) })
    expect(answer.status).toBe(422)
    await evil.ask(worker, { method: 'POST', path: `${path}/settle` })
  })
})
