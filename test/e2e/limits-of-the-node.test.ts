import { describe, expect, it } from 'vitest'
import { hasSandbox, makeRepository, startNode } from './node.ts'

const quick = { agent: 'command', argv: ['true'] }

describe.skipIf(!hasSandbox)('what a node refuses', () => {
  it('answers 507 with how much is missing rather than filling the disk', async () => {
    await using node = await startNode({ 'storage.reserveBytes': Number.MAX_SAFE_INTEGER })
    const refused = await node.client.createJob({ body: quick }).catch((error: unknown) => error)
    expect(refused).toMatchObject({
      code: 'out_of_space',
      status: 507,
      extras: { missingBytes: expect.any(Number), remedy: expect.stringContaining('prune') },
    })
  })

  it('runs nothing without a sandbox where its owner forbids it', async () => {
    await using node = await startNode({ 'node.allowNoSandbox': false })
    await expect(node.client.createJob({ body: { ...quick, sandbox: 'none' } })).rejects.toMatchObject({ code: 'forbidden' })
  })

  it('says which agent is missing and how to get it', async () => {
    await using node = await startNode()
    await expect(node.client.createJob({ body: { task: 'x', agent: 'goose' } })).rejects.toMatchObject({
      code: 'agent_missing',
      extras: { remedy: expect.stringContaining('goose') },
    })
    await expect(node.client.createJob({ body: { task: 'x' } })).rejects.toMatchObject({
      code: 'agent_missing',
      extras: { remedy: expect.stringContaining('Ollama') },
    })
  })

  it('takes no snapshot of what is no repository', async () => {
    await using node = await startNode()
    const refused = await node.client
      .createJob({ body: { ...quick, repository: { path: node.dataDir } } })
      .catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'snapshot_failed', message: expect.stringContaining(node.dataDir) })
  })

  it('prunes ended jobs with all that belonged to them', async () => {
    using repository = makeRepository({ 'a.txt': 'a\n' })
    await using node = await startNode()
    const { job } = await node.run({
      agent: 'command',
      argv: ['sh', '-c', 'echo b > a.txt'],
      repository: { path: repository.path },
    })
    await node.client.listArtifacts({ params: { id: job.id } })
    expect(await node.client.prune({ body: { olderThanMs: 0, dryRun: true } })).toMatchObject({ jobs: 1, dryRun: true })
    expect(await node.client.prune({ body: { keepBytes: 0, dryRun: true } })).toMatchObject({ jobs: 1, dryRun: true })
    expect(await node.client.prune({ body: { keepBytes: 2 ** 40, dryRun: true } })).toMatchObject({ jobs: 0, dryRun: true })
    expect(await node.client.getJob({ params: { id: job.id } })).toMatchObject({ state: 'succeeded' })
    expect(await node.client.prune({ body: { olderThanMs: 0 } })).toMatchObject({ jobs: 1, dryRun: false })
    await expect(node.client.getJob({ params: { id: job.id } })).rejects.toMatchObject({ code: 'not_found' })
    // What came home is the user's.
    expect(repository.git('show', `refs/skein/jobs/${job.id}:a.txt`)).toBe('b\n')
  })

  it('hands jobs back when it stops, and runs them again when it starts', async () => {
    await using node = await startNode()
    const { jobId } = await node.client.createJob({ body: { agent: 'command', argv: ['sleep', '1000'] } })
    await node.until(jobId, ({ body }) => body.type === 'attempt.process')
    await node.restart()
    const started = await node.until(jobId, ({ body }) => body.type === 'attempt.started' && body.epoch === 2)
    expect(started.body).toMatchObject({ epoch: 2 })
    await node.client.cancelJob({ params: { id: jobId } })
    const { job, events } = await node.finish(jobId)
    expect(job.state).toBe('cancelled')
    expect(events.some(({ body }) => body.type === 'attempt.lost' && body.reason.includes('stopped'))).toBe(true)
  })
})
