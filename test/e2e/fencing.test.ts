import { describe, expect, it } from 'vitest'
import { type Bid, JobSpec } from '#shared/model/index.ts'
import { type FakePeer, reportOf, startFakePeer } from '#test/fakes/peer.ts'
import { fleetNode } from './fleet.ts'
import { hasSandbox, type TestNode } from './node.ts'

const JOB = '0000000000000a'
const SOON = { timeout: 15_000, interval: 50 }

/** A worker as a home sees it that says what a test wants. */
async function asHome(home: FakePeer, worker: TestNode) {
  const { code } = await worker.client.createPairingCode()
  expect((await home.pair(worker.url, code)).status).toBe(200)
  const { node: id } = await worker.client.nodeInfo()
  const ask = async (path: string, body: unknown) => {
    const answer = await home.ask({ url: worker.url, id }, { method: 'POST', path, body: JSON.stringify(body) })
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }
  const wanted = { agent: 'command', executor: 'process', model: null, labels: {}, gpu: false, repository: null }
  return {
    async bid(epoch: number): Promise<string> {
      const { body } = await ask('/v1/peer/announce', { jobId: JOB, epoch, ...wanted })
      const bid = body as unknown as Bid
      if (bid.kind !== 'bid') throw new Error(`no bid: ${bid.reason}`)
      return bid.bidId
    },
    award: (epoch: number, bidId: string) =>
      ask('/v1/peer/award', {
        ...{ bidId, jobId: JOB, epoch, leaseMs: 60_000, logOffset: 0, title: 'x', snapshot: null },
        spec: JobSpec.parse({ agent: 'command', executor: 'process', argv: ['sleep', '1000'] }),
      }),
    renew: (epoch: number) =>
      ask(`/v1/peer/attempts/${JOB}/${epoch}/renew`, { leaseMs: 60_000, mark: null, after: 0, waitMs: 0, cancel: false }),
  }
}
const epochsOn = async ({ client }: TestNode): Promise<number[]> => (await client.drainStatus()).running.map(({ epoch }) => epoch)

describe.skipIf(!hasSandbox)('a worker', () => {
  it('refuses an older attempt than it has, and goes on with that', async () => {
    await using worker = await fleetNode('worker', { 'node.concurrency': 4 })
    await using home = await startFakePeer('home')
    const { bid, award, renew } = await asHome(home, worker)
    const old = await bid(1)
    expect((await award(2, await bid(2))).status).toBe(200)
    expect(await award(1, old)).toMatchObject({ status: 409, body: { code: 'not_yours' } })
    expect((await renew(1)).status).toBe(409)
    expect(await renew(2)).toMatchObject({ status: 200, body: { end: null } })
    expect(await epochsOn(worker)).toEqual([2])
  })

  it('stops what it has for a newer attempt of the same job, and refuses all that is said of the old one', async () => {
    await using worker = await fleetNode('worker', { 'node.concurrency': 4 })
    await using home = await startFakePeer('home')
    const { bid, award, renew } = await asHome(home, worker)
    expect((await award(1, await bid(1))).status).toBe(200)
    expect((await award(2, await bid(2))).status).toBe(200)
    await expect.poll(() => epochsOn(worker), SOON).toEqual([2])
    expect((await renew(1)).status).toBe(409)
    expect((await renew(2)).status).toBe(200)
  })

  it('answers an award again as it did, though the bid is gone, and takes it once', async () => {
    await using worker = await fleetNode('worker', { 'node.concurrency': 4 })
    await using home = await startFakePeer('home')
    const { bid, award } = await asHome(home, worker)
    const id = await bid(1)
    const answers = await Promise.all([award(1, id), award(1, id), award(1, id)])
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect((await award(1, 'another bid')).status).toBe(200)
    expect(await epochsOn(worker)).toEqual([1])
  })
})

describe('a home', () => {
  it('refuses what a node tells of another attempt than it was asked about, and has that one stopped', async () => {
    await using home = await fleetNode('home')
    await using worker = await startFakePeer('worker')
    await worker.join(home.client)
    const settled: string[] = []
    worker.answer('renew', () => reportOf({ epoch: 7, state: 'running', events: [] }))
    worker.answer('settleAttempt', ({ params }) => {
      settled.push(params.epoch ?? '')
      return { ok: true }
    })
    const { jobId } = await home.client.createJob({ body: { agent: 'command', argv: ['true'], where: { on: ['worker'] } } })
    await expect.poll(() => settled, SOON).toContain('7')
    expect((await home.client.getJob({ params: { id: jobId } })).state).toBe('placing')
    await home.client.cancelJob({ params: { id: jobId } })
    expect((await home.finish(jobId)).job.state).toBe('cancelled')
  })
})
