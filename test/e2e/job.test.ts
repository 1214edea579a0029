import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FIX_TEST_SESSION, startScriptedModel } from '#demo/scripted-model.ts'
import { hasSandbox, makeRepository, startNode } from './node.ts'
import { SHOP } from './shop.ts'

const { 'price.test.js': TEST, ...UNTESTED } = SHOP

describe.skipIf(!hasSandbox)('one job, end to end', () => {
  it('takes a dirty tree, lets an agent mend it, shows red before and green after, and touches nothing of the user', async () => {
    await using model = await startScriptedModel({ steps: FIX_TEST_SESSION })
    using repository = makeRepository(UNTESTED)
    repository.write('price.test.js', TEST)
    repository.write('staged.txt', 'staged\n')
    repository.git('add', 'staged.txt')
    const before = [repository.git('status', '--porcelain'), repository.git('stash', 'list'), repository.git('rev-parse', 'HEAD')]
    await using node = await startNode({}, { OPENAI_BASE_URL: `${model.url}/v1` })

    const { job, events, log } = await node.run({
      task: 'Make the test pass',
      agent: 'builtin',
      repository: { path: repository.path, include: 'changes' },
      checks: [['node', '--test']],
    })
    expect(job.failure).toBeNull()
    expect(job.state).toBe('succeeded')
    expect(job.result).toMatchObject({
      epoch: 1,
      isolation: 'process',
      agent: { id: 'builtin' },
      checks: [{ verdict: 'fixed' }],
      diffStat: { files: 1 },
    })
    expect(job.result?.usage.requests).toBeGreaterThan(1)
    expect(log).toContain('check 1 on the result')
    expect(events.map(({ n }) => n)).toEqual(events.map((_, index) => index + 1))
    const moves = events.flatMap(({ body }) => (body.type === 'job.state' ? [body.to] : []))
    expect(moves).toEqual(['placing', 'preparing', 'running', 'checking', 'succeeded'])

    const diff = await (await node.client.getDiff({ params: { id: job.id } })).text()
    expect(diff).toContain('+++ b/price.js')
    const commit = repository.git('show', '--no-patch', '--format=%P%n%B', `refs/skein/jobs/${job.id}`)
    expect(commit).toContain(job.result?.snapshot)
    expect(commit).toContain(`Skein-Job: ${job.id}`)
    expect(repository.git('show', `refs/skein/jobs/${job.id}:staged.txt`)).toBe('staged\n')
    expect([
      repository.git('status', '--porcelain'),
      repository.git('stash', 'list'),
      repository.git('rev-parse', 'HEAD'),
    ]).toEqual(before)
    await expect.poll(() => readdirSync(join(node.dataDir, 'attempts')), { timeout: 20_000 }).toEqual([])
  })

  it('fails a job whose check stays red, and keeps the diff for review', async () => {
    using repository = makeRepository({ 'a.txt': 'a\n' })
    await using node = await startNode()
    const { job } = await node.run({
      agent: 'command',
      argv: ['sh', '-c', 'echo b >> a.txt'],
      repository: { path: repository.path },
      checks: [['false'], ['true']],
    })
    expect(job).toMatchObject({
      state: 'failed',
      failure: { code: 'check_failed' },
      result: { checks: [{ verdict: 'red' }, { verdict: 'vacuous' }] },
    })
    expect(repository.git('show', `refs/skein/jobs/${job.id}:a.txt`)).toBe('a\nb\n')
  })

  it('gives one job for one Idempotency-Key, and refuses another request under it', async () => {
    await using node = await startNode()
    const request = { body: { agent: 'command', argv: ['true'] }, headers: { 'idempotency-key': 'k' } }
    const answers = await Promise.all([
      node.client.createJob(request),
      node.client.createJob(request),
      node.client.createJob(request),
    ])
    expect(new Set(answers.map(({ jobId }) => jobId)).size).toBe(1)
    await expect(node.client.createJob({ ...request, body: { agent: 'command', argv: ['false'] } })).rejects.toMatchObject({
      code: 'idempotency_conflict',
    })
  })

  it('cancels a job in the queue and one that runs, and refuses to cancel an ended one', async () => {
    await using node = await startNode({ 'node.concurrency': 1 })
    const { jobId: running } = await node.client.createJob({ body: { agent: 'command', argv: ['sleep', '1000'] } })
    const { jobId: waiting } = await node.client.createJob({ body: { agent: 'command', argv: ['true'] } })
    await node.until(running, ({ body }) => body.type === 'attempt.process')
    for (const id of [waiting, running]) {
      await node.client.cancelJob({ params: { id } })
      expect((await node.finish(id)).job.state).toBe('cancelled')
      await expect(node.client.cancelJob({ params: { id } })).rejects.toMatchObject({ code: 'already_ended', status: 409 })
    }
  })

  it('retries an ended job from the same snapshot, although the repository has moved on', async () => {
    using repository = makeRepository({ 'a.txt': 'old\n' })
    await using node = await startNode()
    const first = await node.run({
      agent: 'command',
      argv: ['grep', '-q', 'old', 'a.txt'],
      repository: { path: repository.path },
    })
    repository.write('a.txt', 'new\n')
    repository.git('commit', '--quiet', '--all', '--message=second')
    const { jobId } = await node.client.retryJob({ params: { id: first.job.id } })
    const second = await node.finish(jobId)
    expect(second.job).toMatchObject({
      state: 'succeeded',
      retryOf: first.job.id,
      snapshot: { commit: first.job.snapshot?.commit },
    })
  })

  it('runs higher priorities first', async () => {
    await using node = await startNode({ 'node.concurrency': 1 })
    const { jobId: blocker } = await node.client.createJob({ body: { agent: 'command', argv: ['sleep', '1000'] } })
    await node.until(blocker, ({ body }) => body.type === 'attempt.process')
    const submitted = await Promise.all(
      [0, 5, -5].map(priority =>
        node.client.createJob({ body: { agent: 'command', argv: ['true'], priority, labels: { priority: String(priority) } } }),
      ),
    )
    await node.client.cancelJob({ params: { id: blocker } })
    const ended = await Promise.all(submitted.map(({ jobId }) => node.finish(jobId)))
    const started = ended.map(({ job, events }) => ({
      priority: job.spec.priority,
      seq: events.find(({ body }) => body.type === 'attempt.started')?.seq ?? 0,
    }))
    expect(started.sort((a, b) => a.seq - b.seq).map(({ priority }) => priority)).toEqual([5, 0, -5])
  })

  it.each([
    ['run_timeout', { timeouts: { runMs: 300 } }, ['sh', '-c', 'while true; do echo busy; sleep 0.05; done']],
    ['silence_timeout', { timeouts: { silenceMs: 300 } }, ['sleep', '1000']],
  ] as const)('ends an agent by %s', async (code, extra, argv) => {
    await using node = await startNode()
    const { job } = await node.run({ agent: 'command', argv: [...argv], ...extra })
    expect(job).toMatchObject({ state: 'failed', failure: { code } })
  })

  it('ends a check that takes too long and a job that waits too long', async () => {
    using repository = makeRepository({ 'a.txt': 'a\n' })
    await using node = await startNode({ 'node.concurrency': 1 })
    const { job } = await node.run({
      agent: 'command',
      argv: ['true'],
      repository: { path: repository.path },
      checks: [['sleep', '1000']],
      timeouts: { checkMs: 200 },
    })
    expect(job.failure?.code).toBe('check_timeout')
    const { jobId: blocker } = await node.client.createJob({ body: { agent: 'command', argv: ['sleep', '1000'] } })
    await node.until(blocker, ({ body }) => body.type === 'attempt.process')
    const late = await node.run({ agent: 'command', argv: ['true'], timeouts: { queueMs: 100 } })
    expect(late.job).toMatchObject({ state: 'failed', epoch: 0, failure: { code: 'queue_timeout' } })
    await node.client.cancelJob({ params: { id: blocker } })
  })
})
