import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { JobRequest, PlacementRecord } from '#shared/model/index.ts'
import { fleetNode, pair } from './fleet.ts'
import { hasSandbox, type TestNode } from './node.ts'

const there = (argv: string[], more: Partial<JobRequest> = {}): JobRequest => ({
  agent: 'command',
  argv,
  where: { on: ['worker'] },
  ...more,
})
const FOREVER = ['sleep', '1000']

/** Waits for a record of a job's placements. */
async function placed(home: TestNode, id: string, fits: (record: PlacementRecord) => boolean): Promise<PlacementRecord> {
  for (;;) {
    const { items } = await home.client.listPlacements({ params: { id } })
    const found = items.find(fits)
    if (found) return found
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
/** Waits until a worker has the attempt of a job. */
async function heldBy(worker: TestNode, id: string): Promise<void> {
  while (!(await worker.client.drainStatus()).running.some(({ jobId }) => jobId === id))
    await new Promise(resolve => setTimeout(resolve, 20))
}
const isAwarded = ({ awarded }: PlacementRecord) => awarded !== null

/** A home, a worker with one slot, and a job that holds it until it is cancelled. */
async function busyWorker(waiting: number) {
  const home = await fleetNode('home', { 'node.concurrency': 4 })
  const worker = await fleetNode('worker', { 'node.concurrency': 1, 'node.waiting': waiting })
  await pair(home, worker)
  const { jobId: first } = await home.client.createJob({ body: there(FOREVER) })
  await home.until(first, ({ body }) => body.type === 'attempt.process')
  const cancel = (id: string) => home.client.cancelJob({ params: { id } })
  return {
    home,
    worker,
    first,
    cancel,
    async [Symbol.asyncDispose]() {
      await home[Symbol.asyncDispose]()
      await worker[Symbol.asyncDispose]()
    },
  }
}

describe.skipIf(!hasSandbox)('an attempt that waits at its worker', () => {
  it('is awarded in one round, starts when a slot is free, and tells what was promised and what came of it', async () => {
    await using fleet = await busyWorker(2)
    const { home, first, cancel } = fleet
    const { jobId } = await home.client.createJob({ body: there(['true']) })
    const bid = await placed(home, jobId, isAwarded)
    expect(bid).toMatchObject({
      round: 1,
      messages: 2,
      asked: [{ name: 'worker', answer: { kind: 'bid', terms: { waitsBehind: 1 } } }],
    })
    expect((await home.client.getJob({ params: { id: jobId } })).state).toBe('placing')
    await cancel(first)
    const { job, events } = await home.finish(jobId)
    expect([job.state, job.epoch]).toEqual(['succeeded', 1])
    expect(events.filter(({ body }) => body.type === 'attempt.lost')).toEqual([])
    const { outcome } = await placed(home, jobId, ({ outcome }) => outcome !== null)
    // Nothing like it ever ran there: one that has run for a moment was taken to end in a minute.
    expect(outcome?.promised.startMs).toBeGreaterThan(30_000)
    expect(outcome?.actual.startMs).toBeLessThan(30_000)
    expect(outcome?.actual.runMs).toBeGreaterThan(0)
  })

  it('waits no longer than it may be asked to, and where there is no place left the no says when there may be', async () => {
    await using fleet = await busyWorker(1)
    const { home } = fleet
    const { jobId: waits } = await home.client.createJob({ body: there(['true'], { timeouts: { queueMs: 3_000 } }) })
    await placed(home, waits, isAwarded)
    const { jobId: turnedAway } = await home.client.createJob({ body: there(['true']) })
    const { asked } = await placed(home, turnedAway, ({ asked }) => asked.length > 0)
    expect(asked).toMatchObject([{ answer: { kind: 'no', isTransient: true, againMs: expect.any(Number) } }])
    expect((await home.finish(waits)).job).toMatchObject({ state: 'failed', failure: { code: 'queue_timeout' } })
    expect((await placed(home, turnedAway, isAwarded)).round).toBeGreaterThan(1)
  })

  it('is cancelled as one that runs, and the one before it goes on', async () => {
    await using fleet = await busyWorker(1)
    const { home, worker, first, cancel } = fleet
    const { jobId } = await home.client.createJob({ body: there(['true']) })
    await placed(home, jobId, isAwarded)
    await cancel(jobId)
    expect((await home.finish(jobId)).job.state).toBe('cancelled')
    expect((await home.client.getJob({ params: { id: first } })).state).toBe('running')
    expect(readdirSync(join(worker.dataDir, 'attempts'))).toHaveLength(1)
  })

  it('is given back by a worker that drains, while what runs there goes on', async () => {
    await using fleet = await busyWorker(1)
    const { home, worker, first } = fleet
    const { jobId } = await home.client.createJob({ body: there(['true'], { where: { notOn: ['home'] } }) })
    await placed(home, jobId, isAwarded)
    // The award is on its way; one that comes later than the drain is turned away.
    await heldBy(worker, jobId)
    await worker.client.drain({ body: { draining: true } })
    const lost = await home.until(jobId, ({ body }) => body.type === 'attempt.returned')
    expect(lost.body).toMatchObject({ epoch: 1, reason: expect.stringContaining('gave it back') })
    expect((await home.client.getJob({ params: { id: first } })).state).toBe('running')
    await using other = await fleetNode('other')
    await pair(home, other)
    expect((await home.finish(jobId)).job).toMatchObject({ state: 'succeeded', epoch: 2 })
  })

  it('waits at home too, once there are others to compare with', async () => {
    await using home = await fleetNode('home', { 'node.concurrency': 1 })
    await using worker = await fleetNode('worker', { 'node.concurrency': 1, 'node.waiting': 0 })
    await pair(home, worker)
    const here = (argv: string[]): JobRequest => ({ agent: 'command', argv, where: { on: ['home'] } })
    const { jobId: first } = await home.client.createJob({ body: here(FOREVER) })
    await home.until(first, ({ body }) => body.type === 'attempt.process')
    const { jobId } = await home.client.createJob({ body: here(['true']) })
    const record = await placed(home, jobId, isAwarded)
    expect(record.asked).toMatchObject([{ name: 'home', answer: { terms: { waitsBehind: 1 } } }])
    await home.client.cancelJob({ params: { id: first } })
    expect((await home.finish(jobId)).job).toMatchObject({ state: 'succeeded', epoch: 1 })
  })
})
