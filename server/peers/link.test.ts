import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline, Readable } from 'node:stream'
import { afterEach, describe, expect, test } from 'vitest'
import { virtualClock } from '#test/fakes/clock.ts'
import { makeIdentity } from '#test/fakes/identity.ts'
import { createVerifier, sha256 } from './assertion.ts'
import { httpLink, peerClient } from './link.ts'

const home = makeIdentity()
const worker = makeIdentity()
const clock = virtualClock()
const attempt = { jobId: '01890a5d-ac96-774b-bcce-b302099a8057', epoch: 1 }

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

/** Everything a stream gives; a piece is valid until the next is asked for. */
async function all(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const list: Uint8Array[] = []
  for await (const piece of pieces) list.push(piece.slice())
  return list
}

/** A node that answers every request in one way. */
async function peerThat(answer: (request: IncomingMessage, response: ServerResponse) => unknown) {
  const server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return {
    id: worker.nodeId,
    name: 'worker',
    publicKey: worker.publicKey,
    address: `http://127.0.0.1:${port}`,
    source: 'paired' as const,
    runsOurs: true,
    weRunTheirs: false,
    members: [],
    addedAt: '2026-01-01T00:00:00.000Z',
  }
}

const json = (response: ServerResponse, value: unknown) =>
  response.setHeader('content-type', 'application/json').end(JSON.stringify(value))

describe('a link', () => {
  test('signs what is sent, so that the other side can hold it against what came', async () => {
    const verifier = createVerifier({
      self: worker.nodeId,
      keyOf: async id => (id === home.nodeId ? home : null),
      clock,
    })
    const callers: string[] = []
    const peer = await peerThat(async (request, response) => {
      const body = Buffer.concat(await request.toArray())
      const { method = '', url = '', headers } = request
      const caller = await verifier.verify(headers.authorization ?? '', { method, path: url, bodySha256: sha256(body) })
      callers.push(caller.node)
      json(response, { ok: true })
    })
    const link = httpLink(peer, { identity: home, clock })
    await link.releaseBid('bid')
    await link.settle(attempt)
    await link.answer(attempt, "a'b (c)/ü?", 'yes')
    expect(callers).toEqual([home.nodeId, home.nodeId, home.nodeId])
  })

  test('brings bytes as they come', async () => {
    const peer = await peerThat((_, response) => {
      response.write('one ')
      response.end('two')
    })
    const link = httpLink(peer, { identity: home, clock })
    const pieces = await all(link.log(attempt, 0, new AbortController().signal))
    expect(Buffer.concat(pieces).toString()).toBe('one two')
  })

  test('follows no redirect', async () => {
    let asked = 0
    const elsewhere = await peerThat((_, response) => {
      asked += 1
      response.end('{}')
    })
    const peer = await peerThat((_, response) =>
      response.writeHead(307, { location: `${elsewhere.address}/latest/meta-data` }).end(),
    )
    await expect(httpLink(peer, { identity: home, clock }).settle(attempt)).rejects.toMatchObject({ code: 'peer_unreachable' })
    expect(asked).toBe(0)
  })

  test('says that nobody is there', async () => {
    const peer = await peerThat(() => {})
    for (const close of closing.splice(0)) close()
    await expect(httpLink(peer, { identity: home, clock }).settle(attempt)).rejects.toMatchObject({
      code: 'peer_unreachable',
      message: expect.stringContaining('ECONNREFUSED'),
    })
  })

  test.each([
    ['no JSON', 'not json'],
    ['JSON of another shape', '{"node":1}'],
    ['nothing', ''],
  ])('calls a peer that answers %s unreachable, in one line', async (_, text) => {
    const peer = await peerThat((_, response) => response.setHeader('content-type', 'application/json').end(text))
    await expect(peerClient(peer, { identity: home, clock }).card()).rejects.toMatchObject({
      code: 'peer_unreachable',
      message: expect.not.stringContaining('\n'),
    })
  })

  test('calls a peer unreachable that breaks off in its answer', async () => {
    const peer = await peerThat((_, response) => {
      response.writeHead(200, { 'content-length': '1000' }).write('{')
      setImmediate(() => response.destroy())
    })
    await expect(peerClient(peer, { identity: home, clock }).card()).rejects.toMatchObject({ code: 'peer_unreachable' })
  })

  test('gives an answer up that does not end', async () => {
    let sent = 0
    // Ends by itself after more than any honest answer, so that a reader without a bound fails and does not hang.
    const endless = function* () {
      for (const piece = Buffer.alloc(1 << 20, ' '); sent < 128 << 20; sent += piece.length) yield piece
    }
    const peer = await peerThat((_, response) => pipeline(Readable.from(endless()), response, () => {}))
    await expect(peerClient(peer, { identity: home, clock }).card()).rejects.toThrow('more than')
    expect(sent).toBeLessThan(128 << 20)
  })
})
