import { describe, expect, it } from 'vitest'
import type { JobRequest } from '#shared/model/index.ts'
import { fleetNode, pair } from './fleet.ts'
import { startGate } from './gate.ts'
import { hasSandbox, type TestNode } from './node.ts'

const LEASE_MS = 5_000
const SOON = { timeout: 15_000, interval: 50 }

const there = (script: string, more: Partial<JobRequest> = {}): JobRequest => ({
  agent: 'command',
  argv: ['sh', '-c', script],
  where: { on: ['worker'] },
  ...more,
})
const begun = async (home: TestNode, body: JobRequest): Promise<string> => {
  const { jobId } = await home.client.createJob({ body })
  await home.until(jobId, event => event.body.type === 'attempt.process')
  return jobId
}
const runningOn = async ({ client }: TestNode): Promise<number> => (await client.drainStatus()).running.length

describe.skipIf(!hasSandbox)('an attempt on another node', () => {
  it('is not given up when the answer to its award is lost', async () => {
    await using home = await fleetNode('home')
    await using worker = await fleetNode('worker')
    await using gate = await startGate(worker.url)
    await pair(home, worker, gate.url)
    gate.loseAnswers(/\/award$/, 2)
    const { job, events } = await home.run(there('echo once', { maxAttempts: 1 }))
    expect(job).toMatchObject({ state: 'succeeded', epoch: 1 })
    expect(events.filter(({ body }) => body.type === 'attempt.started')).toHaveLength(1)
  })

  it('does not count when its node turns the award away', async () => {
    await using home = await fleetNode('home')
    await using worker = await fleetNode('worker')
    await using gate = await startGate(worker.url)
    await pair(home, worker, gate.url)
    // It bids, and the award finds it draining.
    gate.before(/\/award$/, () => worker.client.drain({ body: { draining: true } }))
    const { jobId } = await home.client.createJob({ body: there('true', { maxAttempts: 1 }) })
    const { body } = await home.until(jobId, event => event.body.type === 'attempt.returned')
    expect(body).toMatchObject({ epoch: 1, reason: expect.stringContaining('It is draining.') })
    await worker.client.drain({ body: { draining: false } })
    expect((await home.finish(jobId)).job).toMatchObject({ state: 'succeeded' })
  }, 60_000)

  it('ends at once when its worker does not take jobs of its home any more', async () => {
    await using home = await fleetNode('home')
    await using worker = await fleetNode('worker')
    await pair(home, worker)
    await begun(home, there('sleep 1000'))
    const [peer] = (await worker.client.listPeers()).items
    await worker.client.removePeer({ params: { id: peer?.id ?? '' } })
    await expect.poll(() => runningOn(worker), SOON).toBe(0)
  })

  it('ends at once when its home gives its worker no jobs any more', async () => {
    await using home = await fleetNode('home')
    await using worker = await fleetNode('worker')
    await pair(home, worker)
    const jobId = await begun(home, there('sleep 1000', { maxAttempts: 1 }))
    const [peer] = (await home.client.listPeers()).items
    await home.client.removePeer({ params: { id: peer?.id ?? '' } })
    expect((await home.finish(jobId)).job.failure).toMatchObject({ code: 'attempts_exhausted' })
    await expect.poll(() => runningOn(worker), SOON).toBe(0)
  })

  it('is told that it is over as soon as its node can be reached again', async () => {
    await using home = await fleetNode('home')
    await using worker = await fleetNode('worker')
    await using gate = await startGate(worker.url)
    await pair(home, worker, gate.url)
    const jobId = await begun(home, there('sleep 1000'))
    gate.shut()
    await home.client.cancelJob({ params: { id: jobId } })
    expect((await home.finish(jobId)).job.state).toBe('cancelled')
    await home.restart()
    expect(await runningOn(worker)).toBe(1)
    gate.open()
    await expect.poll(() => runningOn(worker), SOON).toBe(0)
  })

  it('is waited for as long as the job says, longer than a lease', async () => {
    await using home = await fleetNode('home', { 'fleet.leaseMs': LEASE_MS })
    await using worker = await fleetNode('worker')
    await using gate = await startGate(worker.url)
    await pair(home, worker, gate.url)
    const jobId = await begun(home, there('echo begin; sleep 9; echo end', { disconnect: { kind: 'wait', ms: 60_000 } }))
    gate.shut()
    await new Promise(resolve => setTimeout(resolve, 1.6 * LEASE_MS))
    gate.open()
    const { job, log, events } = await home.finish(jobId)
    expect(job).toMatchObject({ state: 'succeeded', epoch: 1 })
    expect(log).toContain('begin\nend\n')
    expect(events.some(({ body }) => body.type === 'attempt.lost')).toBe(false)
  }, 60_000)
})
