import { describe, expect, it } from 'vitest'
import { fleetNode, pair } from './fleet.ts'
import { hasSandbox, startNode, type TestNode } from './node.ts'

/** Waits until an attempt of a job runs a program, and gives the workloads the job has at a node. */
async function runningIn(home: TestNode, jobId: string, epoch: number, worker = home) {
  await home.until(jobId, event => event.body.type === 'attempt.process' && event.body.epoch === epoch)
  const { items } = await worker.client.listWorkloads({ query: { limit: 10, jobId } })
  return items
}

describe.skipIf(!hasSandbox)('a workload that is evicted', () => {
  it('gives its place free, and its job is placed again until that was too often', async () => {
    await using node = await startNode()
    const { jobId } = await node.client.createJob({ body: { agent: 'command', argv: ['sleep', '600'], maxAttempts: 2 } })
    const [first] = await runningIn(node, jobId, 1)
    expect(first).toMatchObject({ executor: 'process', jobId, epoch: 1, purpose: 'agent', state: 'running' })
    expect(await node.client.evictWorkload({ params: { id: first?.id ?? '' } })).toMatchObject({ jobId })

    const again = (await runningIn(node, jobId, 2)).filter(({ epoch }) => epoch === 2)
    // What is left of the first is removed while the second begins.
    const workloads = async () => (await node.client.listWorkloads({ query: { limit: 10 } })).items
    await expect.poll(async () => (await workloads()).map(({ epoch }) => epoch)).toEqual([2])
    // What is gone cannot be evicted twice: the attempt that came after it is another.
    await expect(node.client.evictWorkload({ params: { id: first?.id ?? '' } })).rejects.toMatchObject({ code: 'not_found' })
    expect(await node.client.getJob({ params: { id: jobId } })).toMatchObject({ state: 'running' })

    await node.client.evictWorkload({ params: { id: again[0]?.id ?? '' } })
    const { job, events } = await node.finish(jobId)
    expect(job).toMatchObject({ state: 'failed', failure: { detail: expect.stringContaining('2 attempts of 2 were lost') } })
    const lost = events.flatMap(({ body }) => (body.type === 'attempt.lost' ? [body] : []))
    expect(lost[0]).toMatchObject({ epoch: 1, reason: 'A person had it give its place free.' })
    await expect.poll(workloads).toEqual([])
  })

  it('goes back to its home where it was the job of another node', async () => {
    await using home = await fleetNode('home')
    await using worker = await fleetNode('worker')
    await pair(home, worker)
    const sleeping = { agent: 'command', argv: ['sleep', '600'], maxAttempts: 2, where: { on: ['worker'] } }
    const { jobId } = await home.client.createJob({ body: sleeping })
    const [workload] = await runningIn(home, jobId, 1, worker)
    // Its home is told of it too, and of no other.
    const seen = await home.client.listWorkloads({ query: { jobId } })
    expect(seen).toMatchObject({ items: [], elsewhere: { node: 'worker', items: [{ id: workload?.id, jobId }], problem: null } })
    expect(seen.elsewhere?.items[0]?.memoryBytes).toBeGreaterThan(0)
    await worker.client.evictWorkload({ params: { id: workload?.id ?? '' } })
    const [again] = await runningIn(home, jobId, 2, worker)
    expect(again).toMatchObject({ epoch: 2, state: 'running' })
    expect((await home.client.listEvents({ params: { id: jobId }, query: {} })).items.map(({ body }) => body)).toContainEqual({
      type: 'attempt.lost',
      epoch: 1,
      reason: 'A person had it give its place free.',
    })
    await home.client.cancelJob({ params: { id: jobId } })
    expect((await home.finish(jobId)).job.state).toBe('cancelled')
  })
})
