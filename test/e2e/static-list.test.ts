import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { hasSandbox, startNode, type TestNode } from './node.ts'

function freePort(): Promise<number> {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

/** Waits until a node says something of its peers. */
async function until(node: TestNode, fits: (peers: Awaited<ReturnType<TestNode['client']['listPeers']>>['items']) => boolean) {
  for (;;) {
    const { items } = await node.client.listPeers()
    if (fits(items)) return items
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

describe.skipIf(!hasSandbox)('nodes that name each other in their settings', () => {
  it('know each other by their ids, told no code, and run jobs as the lists say', async () => {
    const [homePort, workerPort] = await Promise.all([freePort(), freePort()])
    await using home = await startNode({ 'node.name': 'home', 'api.port': homePort })
    await using worker = await startNode({ 'node.name': 'worker', 'api.port': workerPort })
    const [atHome, atWorker] = await Promise.all([home, worker].map(async ({ client }) => (await client.nodeInfo()).node))
    await Promise.all([home.stop(), worker.stop()])

    // All are given one list.
    const peers = [
      { address: `http://127.0.0.1:${homePort}`, id: atHome, offer: false, accept: true },
      { address: `http://127.0.0.1:${workerPort}`, id: atWorker, offer: true, accept: false },
    ]
    await worker.start({ 'fleet.peers': peers })
    await home.start({ 'fleet.peers': peers })
    await until(home, items => items[0]?.card != null)
    expect((await home.client.listPeers()).items).toMatchObject([
      { name: 'worker', source: 'listed', state: 'online', runsOurs: true, weRunTheirs: false },
    ])
    const { job, log } = await home.run({ agent: 'command', argv: ['echo', 'ran'], where: { on: ['worker'] } })
    expect(job).toMatchObject({ state: 'succeeded', failure: null })
    expect(log).toContain('ran')

    await worker.client.rotateKey({ body: { graceMs: 0 } })
    expect((await home.run({ agent: 'command', argv: ['true'], where: { on: ['worker'] } })).job.state).toBe('succeeded')

    await home.stop()
    await home.start({ 'fleet.peers': [] })
    expect(await until(home, items => items.length === 0)).toEqual([])
  })
})
