import { readdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { hasSandbox, makeRepository, startNode, type TestNode } from './node.ts'

/** A port that was free a moment ago: a node must be found at the same address after a restart. */
function freePort(): Promise<number> {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

async function node(name: string, flags: Readonly<Record<string, unknown>> = {}): Promise<TestNode> {
  return startNode({ 'node.name': name, 'api.port': await freePort(), ...flags })
}

/** Lets one node give its jobs to another. */
async function pair(home: TestNode, worker: TestNode): Promise<void> {
  const { code } = await worker.client.createPairingCode()
  await home.client.addPeer({ body: { address: worker.url, code } })
}

describe.skipIf(!hasSandbox)('a fleet of two', () => {
  it('runs a job where it was asked to, and brings everything back as if it had run at home', async () => {
    await using home = await node('home')
    await using worker = await node('worker')
    await pair(home, worker)
    using repository = makeRepository({ 'a.txt': 'one\n' })
    repository.write('b.txt', 'untracked\n')

    const { job, events, log } = await home.run({
      agent: 'command',
      argv: ['sh', '-c', 'cat b.txt; echo two >> a.txt; echo said'],
      repository: { path: repository.path, include: 'changes' },
      checks: [['grep', '-q', 'two', 'a.txt']],
      where: { on: ['worker'] },
    })
    expect(job.failure).toBeNull()
    expect(job.state).toBe('succeeded')
    expect(log).toContain('untracked\nsaid\n')
    expect(job.result?.checks).toMatchObject([{ verdict: 'fixed' }])
    expect(events.map(({ n }) => n)).toEqual(events.map((_, index) => index + 1))
    const moves = events.flatMap(({ body }) => (body.type === 'job.state' ? [body.to] : []))
    expect(moves).toEqual(['placing', 'preparing', 'running', 'checking', 'succeeded'])
    expect(repository.git('show', `refs/skein/jobs/${job.id}:a.txt`)).toBe('one\ntwo\n')
    expect(job.result?.logBytes).toBe(Buffer.byteLength(log))
    const [check] = job.result?.checks ?? []
    expect(log.slice(check?.result.logOffset, (check?.result.logOffset ?? 0) + (check?.result.logBytes ?? 0))).toBe('')

    const { items } = await home.client.listPlacements({ params: { id: job.id } })
    expect(items).toMatchObject([
      { epoch: 1, asked: [{ name: 'worker', answer: { kind: 'bid' } }], filtered: [{ name: 'home' }] },
    ])
    expect((await worker.client.listJobs()).items).toEqual([])
    expect(readdirSync(join(worker.dataDir, 'attempts'))).toEqual([])
  })
})
