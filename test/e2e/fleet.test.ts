import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { fleetNode as node, pair } from './fleet.ts'
import { hasSandbox, makeRepository } from './node.ts'

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
    await expect.poll(() => readdirSync(join(worker.dataDir, 'attempts')), { timeout: 20_000 }).toEqual([])
  })

  it('goes on while its home is away, and home has everything without a gap when it is back', async () => {
    await using home = await node('home')
    await using worker = await node('worker')
    await pair(home, worker)
    const { jobId } = await home.client.createJob({
      body: {
        agent: 'command',
        argv: ['sh', '-c', 'for i in $(seq 40); do echo line $i; sleep 0.05; done'],
        where: { on: ['worker'] },
      },
    })
    await home.until(jobId, ({ body }) => body.type === 'attempt.process')
    await home.restart()
    const { job, log, events } = await home.finish(jobId)
    expect(job.failure).toBeNull()
    expect(job.state).toBe('succeeded')
    expect(job.epoch).toBe(1)
    expect(log.match(/line \d+\n/g)).toEqual(Array.from({ length: 40 }, (_, index) => `line ${index + 1}\n`))
    expect(events.map(({ n }) => n)).toEqual(events.map((_, index) => index + 1))
  })

  it('places a job again when its worker was restarted, under the next epoch', async () => {
    await using home = await node('home')
    await using worker = await node('worker')
    await pair(home, worker)
    const { jobId } = await home.client.createJob({
      body: { agent: 'command', argv: ['sh', '-c', 'sleep 1; echo done'], where: { on: ['worker'] } },
    })
    await home.until(jobId, ({ body }) => body.type === 'attempt.process')
    await worker.restart()
    const { job, events } = await home.finish(jobId)
    expect(job.state).toBe('succeeded')
    expect(job.epoch).toBe(2)
    expect(events.filter(({ body }) => body.type === 'attempt.returned')).toHaveLength(1)
    expect(events.filter(({ body }) => body.type === 'result.accepted')).toHaveLength(1)
  })

  it('cancels what runs elsewhere, in bounded time, and leaves nothing there', async () => {
    await using home = await node('home')
    await using worker = await node('worker')
    await pair(home, worker)
    const { jobId } = await home.client.createJob({
      body: { agent: 'command', argv: ['sh', '-c', 'trap "" TERM; sleep 1000'], where: { on: ['worker'] } },
    })
    await home.until(jobId, ({ body }) => body.type === 'attempt.process')
    await home.client.cancelJob({ params: { id: jobId } })
    const { job } = await home.finish(jobId)
    expect(job.state).toBe('cancelled')
    // Nobody waits for directories to be removed.
    await expect.poll(() => readdirSync(join(worker.dataDir, 'attempts')), { timeout: 20_000 }).toEqual([])
  })

  it('takes no jobs of a node it was not told to, or not any more', async () => {
    await using home = await node('home')
    await using worker = await node('worker')
    await pair(home, worker)
    const [there] = (await worker.client.listPeers()).items
    await worker.client.removePeer({ params: { id: there?.id ?? '' } })
    const { jobId } = await home.client.createJob({
      body: { agent: 'command', argv: ['true'], where: { on: ['worker'] }, timeouts: { queueMs: 1000 } },
    })
    const { job } = await home.finish(jobId)
    expect(job).toMatchObject({ state: 'failed', failure: { code: 'queue_timeout' } })
    const { items } = await home.client.listPlacements({ params: { id: jobId } })
    expect(JSON.stringify(items)).toMatch(/not trusted|not among|is not answering|did not answer/)
  })

  it('refuses a wrong code, and a code twice', async () => {
    await using home = await node('home')
    await using worker = await node('worker')
    const { code } = await worker.client.createPairingCode()
    const wrong = home.client.addPeer({ body: { address: worker.url, code: 'AAAA-AAAA-AAAA-AAAA-AAAA' } })
    await expect(wrong).rejects.toMatchObject({ code: 'pairing_refused' })
    await home.client.addPeer({ body: { address: worker.url, code } })
    await expect(home.client.addPeer({ body: { address: worker.url, code } })).rejects.toMatchObject({ code: 'pairing_refused' })
  })

  it('reads no body of a caller it does not know', async () => {
    await using worker = await node('worker')
    let asked = 0
    const body = new ReadableStream({
      pull(stream) {
        asked += 1
        stream.enqueue(new Uint8Array(64 * 1024))
        if (asked > 100) stream.close()
      },
    })
    const answer = await fetch(`${worker.url}/v1/peer/announce`, {
      method: 'POST',
      body,
      duplex: 'half',
      headers: { 'content-type': 'application/json', authorization: 'Skein e30.e30.e30' },
    } as RequestInit)
    expect(answer.status).toBe(401)
    expect(asked).toBeLessThan(100)
  })

  it('is shown by the demo: bids, a job elsewhere, and a node that dies', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ['cli/main.ts', 'demo', '--fleet', '3'])
    expect(stdout).toContain('It ended as succeeded, in attempt 2.')
  })
})
