import { createPrivateKey, createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { systemClock } from '#server/lib/clock.ts'
import { assertionFor, sha256 } from '#server/peers/assertion.ts'
import type { Identity } from '#server/peers/identity.ts'
import { hasSandbox, startNode, type TestNode } from './node.ts'

function freePort(): Promise<number> {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
const node = async (name: string): Promise<TestNode> => startNode({ 'node.name': name, 'api.port': await freePort() })

async function pair(home: TestNode, worker: TestNode): Promise<void> {
  const { code } = await worker.client.createPairingCode()
  await home.client.addPeer({ body: { address: worker.url, code, weRunTheirs: true } })
}

/** The key that a node has now, as a thief would copy it. */
function stolenKey({ dataDir }: TestNode, nodeId: string): Identity {
  const privateKey = createPrivateKey(readFileSync(join(dataDir, 'node.key'), 'utf8'))
  const { x: publicKey = '' } = createPublicKey(privateKey).export({ format: 'jwk' })
  return { nodeId, publicKey, privateKey }
}

async function statusWith(key: Identity, at: TestNode, audience: string): Promise<number> {
  const request = { method: 'GET', path: '/v1/peer/card', bodySha256: sha256('') }
  const authorization = await assertionFor(key, audience, request, systemClock)
  return (await fetch(at.url + request.path, { headers: { authorization } })).status
}

const idOf = async ({ url }: TestNode) => ((await (await fetch(`${url}/v1/peer/node`)).json()) as { node: string }).node

describe.skipIf(!hasSandbox)('a node that takes a new key', () => {
  it('keeps its id, its trust and what runs on either side, and its peers refuse the old key', async () => {
    await using home = await node('home')
    await using worker = await node('worker')
    await pair(home, worker)
    const [homeId, workerId] = await Promise.all([idOf(home), idOf(worker)])
    const { jobId } = await home.client.createJob({
      body: {
        agent: 'command',
        argv: ['sh', '-c', 'for i in $(seq 30); do echo line $i; sleep 0.05; done'],
        where: { on: ['worker'] },
      },
    })
    await home.until(jobId, ({ body }) => body.type === 'attempt.process')
    const old = { home: stolenKey(home, homeId), worker: stolenKey(worker, workerId) }
    expect(await statusWith(old.home, worker, workerId)).toBe(200)

    const rotated = await home.client.rotateKey({ body: { graceMs: 0 } })
    expect(rotated).toMatchObject({ node: homeId, told: ['worker'], waiting: [] })
    expect(rotated.publicKey).not.toBe(old.home.publicKey)
    await worker.client.rotateKey({ body: { graceMs: 3_600_000 } })
    expect(await statusWith(old.home, worker, workerId)).toBe(401)
    expect(await statusWith(stolenKey(home, homeId), worker, workerId)).toBe(200)
    // Its grace is not over.
    expect(await statusWith(old.worker, home, homeId)).toBe(200)

    const { job, log } = await home.finish(jobId)
    expect(job).toMatchObject({ state: 'succeeded', epoch: 1, failure: null })
    expect(log.match(/line \d+\n/g)).toHaveLength(30)
    expect(await idOf(home)).toBe(homeId)

    await Promise.all([home.restart(), worker.restart()])
    expect(await idOf(worker)).toBe(workerId)
    const again = await home.run({ agent: 'command', argv: ['echo', 'again'], where: { on: ['worker'] } })
    expect(again.job).toMatchObject({ state: 'succeeded', failure: null })
    expect((await worker.client.listPeers()).items).toMatchObject([{ id: homeId, weRunTheirs: true }])
  })

  it('is known by one that was away meanwhile as soon as they meet, whoever asks', async () => {
    await using home = await node('home')
    await using worker = await node('worker')
    await pair(home, worker)
    const port = new URL(worker.url).port
    await worker.stop()
    expect(await home.client.rotateKey({ body: { graceMs: 0 } })).toMatchObject({ told: [], waiting: ['worker'] })
    await home.client.rotateKey({ body: { graceMs: 0 } })
    await worker.start()
    expect(new URL(worker.url).port).toBe(port)
    const { job } = await home.run({ agent: 'command', argv: ['true'], where: { on: ['worker'] } })
    expect(job).toMatchObject({ state: 'succeeded', failure: null })
  })

  it('can be paired with, and pair, when it was not known before', async () => {
    await using home = await node('home')
    await using worker = await node('worker')
    await Promise.all([home, worker].map(({ client }) => client.rotateKey({ body: {} })))
    await pair(home, worker)
    const { job } = await home.run({ agent: 'command', argv: ['true'], where: { on: ['worker'] } })
    expect(job).toMatchObject({ state: 'succeeded', failure: null })
  })
})
