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

/** Waits until a job was announced and turned away for a reason. */
async function turnedAway(
  home: TestNode,
  id: string,
): Promise<Extract<PlacementRecord['asked'][number]['answer'], { kind: 'no' }>> {
  for (;;) {
    const { items } = await home.client.listPlacements({ params: { id } })
    const no = items.flatMap(({ asked }) => asked.map(({ answer }) => answer)).find(answer => answer.kind === 'no')
    if (no?.kind === 'no') return no
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

/** Hours of today that are as far from now as can be. */
function otherHours(): string {
  const hour = (new Date().getHours() + 12) % 24
  return `${hour}:00-${hour}:59`
}

describe.skipIf(!hasSandbox)('the policy of a worker', () => {
  it('is the reason in the record of a placement, whether it lasts or not', async () => {
    await using home = await fleetNode('home')
    await using worker = await fleetNode('worker', { 'fleet.accept.hours': [otherHours()] })
    await pair(home, worker)
    const { jobId } = await home.client.createJob({ body: there(['true']) })
    const no = await turnedAway(home, jobId)
    expect(no).toMatchObject({ isTransient: true })
    expect(no.reason).toContain(otherHours())
  })

  it('turns away one node by name and takes those of others', async () => {
    await using home = await fleetNode('home')
    await using friend = await fleetNode('friend')
    await using worker = await fleetNode('worker', { 'fleet.accept.for': [{ nodes: ['home'], take: false }] })
    await pair(home, worker)
    await pair(friend, worker)
    const { jobId } = await home.client.createJob({ body: there(['true']) })
    expect(await turnedAway(home, jobId)).toMatchObject({ isTransient: false, reason: 'It takes no jobs of yours.' })
    const { job } = await friend.run(there(['true']))
    expect(job.state).toBe('succeeded')
  })

  it('holds attempts of others to its number, and its own to its places', async () => {
    await using home = await fleetNode('home')
    await using worker = await fleetNode('worker', { 'fleet.accept.attempts': 1, 'node.concurrency': 3 })
    await pair(home, worker)
    const first = await home.client.createJob({ body: there(['sh', '-c', 'sleep 2']) })
    await home.until(first.jobId, ({ body }) => body.type === 'attempt.process')
    const second = await home.client.createJob({ body: there(['true']) })
    expect((await turnedAway(home, second.jobId)).reason).toContain('1 attempts of others at most')
    const own = await worker.run({ agent: 'command', argv: ['true'] })
    expect(own.job.state).toBe('succeeded')
    const [one, other] = await Promise.all([home.finish(first.jobId), home.finish(second.jobId)])
    expect([one.job.state, other.job.state]).toEqual(['succeeded', 'succeeded'])
  })

  it('wants the label that the job asks for', async () => {
    await using home = await fleetNode('home')
    await using worker = await fleetNode('worker', {
      'fleet.accept.labels': { pool: 'night' },
      'node.labels': { pool: 'night' },
    })
    await pair(home, worker)
    const { jobId } = await home.client.createJob({ body: there(['true']) })
    expect((await turnedAway(home, jobId)).reason).toContain('pool=night')
    const { job } = await home.run(there(['true'], { where: { on: ['worker'], labels: { pool: 'night' } } }))
    expect(job.state).toBe('succeeded')
  })
})

describe.skipIf(!hasSandbox)('a drain', () => {
  it('outlives a restart, is seen by others, and keeps jobs waiting until it is over', async () => {
    await using home = await fleetNode('home')
    await using worker = await fleetNode('worker')
    await pair(home, worker)
    expect(await worker.client.drain({ body: { draining: true } })).toMatchObject({ draining: true, running: [], queued: 0 })
    await worker.restart()
    expect(await worker.client.drainStatus()).toMatchObject({ draining: true })
    const own = await worker.client.createJob({ body: { agent: 'command', argv: ['true'] } })
    const theirs = await home.client.createJob({ body: there(['true']) })
    await expect.poll(async () => (await home.client.listPeers()).items[0]?.card?.draining, { timeout: 20_000 }).toBe(true)
    expect((await worker.client.getJob({ params: { id: own.jobId } })).epoch).toBe(0)
    expect((await worker.client.drainStatus()).queued).toBe(1)
    expect(await worker.client.drain({ body: { draining: false } })).toMatchObject({ draining: false })
    expect((await worker.finish(own.jobId)).job.state).toBe('succeeded')
    expect((await home.finish(theirs.jobId)).job.state).toBe('succeeded')
  }, 60_000)

  it('gives attempts of others back, whose homes place them again without counting them as lost', async () => {
    await using home = await fleetNode('home')
    await using one = await fleetNode('one')
    await using other = await fleetNode('other')
    await pair(home, one)
    await pair(home, other)
    const { jobId } = await home.client.createJob({
      body: { agent: 'command', argv: ['sh', '-c', 'echo begin; sleep 1; echo end'], where: { notOn: ['home'] }, maxAttempts: 1 },
    })
    await home.until(jobId, ({ body }) => body.type === 'attempt.process')
    const logged = async () => (await home.client.readLog({ params: { id: jobId } })).text()
    await expect.poll(logged, { timeout: 20_000 }).toContain('begin')
    const isAtOne = (await one.client.drainStatus()).running.length === 1
    const [busy, free] = isAtOne ? [one, other] : [other, one]
    await busy.client.drain({ body: { draining: true, handBackAfterMs: 0 } })
    const { job, events, log } = await home.finish(jobId)
    expect(job).toMatchObject({ state: 'succeeded', epoch: 2 })
    expect(events.map(({ body }) => body)).toContainEqual({
      type: 'attempt.returned',
      epoch: 1,
      reason: 'Its node is draining and gave it back.',
    })
    expect(log.match(/begin\n/g)).toHaveLength(2)
    expect((await busy.client.drainStatus()).running).toEqual([])
    const { items } = await home.client.listPlacements({ params: { id: jobId } })
    const { id } = (await home.client.listPeers()).items.find(({ address }) => address === free.url) ?? {}
    expect(items.at(-1)).toMatchObject({ epoch: 2, awarded: id })
  })

  it('lets what runs go on to its end, and tells of it until then', async () => {
    await using home = await fleetNode('home')
    await using worker = await fleetNode('worker')
    await pair(home, worker)
    const { jobId } = await home.client.createJob({ body: there(['sh', '-c', 'sleep 1; echo done']) })
    await home.until(jobId, ({ body }) => body.type === 'attempt.process')
    const { running } = await worker.client.drain({ body: { draining: true } })
    expect(running).toMatchObject([{ jobId, epoch: 1, home: { name: 'home' } }])
    const { job, log } = await home.finish(jobId)
    expect(job).toMatchObject({ state: 'succeeded', epoch: 1 })
    expect(log).toContain('done')
    expect((await worker.client.drainStatus()).running).toEqual([])
  })
})
