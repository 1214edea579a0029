import { readdir } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import type { JobEvent, JobRequest } from '#shared/model/index.ts'
import { fleetNode, pair } from './fleet.ts'
import { type Gate, startGate } from './gate.ts'
import { hasSandbox, makeRepository, type TestNode, type TestRepository } from './node.ts'

const SOON = { timeout: 20_000, interval: 50 }
/** How long the agent works, s: past the lease, not much past it. */
const SHORT = 6

interface World {
  readonly home: TestNode
  readonly worker: TestNode
  readonly gate: Gate
  readonly repository: TestRepository
}

async function within(act: (world: World) => Promise<void>): Promise<void> {
  await using home = await fleetNode('home', { 'fleet.leaseMs': 5_000, 'node.labels': { speed: 'home' } })
  await using worker = await fleetNode('worker')
  await using gate = await startGate(worker.url)
  await pair(home, worker, gate.url)
  using repository = makeRepository({ 'a.txt': 'one\n' })
  await act({ home, worker, gate, repository })
}

/** Begins at the worker; the second attempt can only be at home. @param script what it does, told its number by `$1` */
async function disconnected({ home, worker, gate, repository }: World, script: string): Promise<string> {
  const body: JobRequest = {
    agent: 'command',
    argv: ['sh', '-c', `echo "begin"; ${script}; echo end`],
    repository: { path: repository.path, include: 'head' },
    checks: [['grep', '-q', 'two', 'a.txt']],
    disconnect: { kind: 'keep-both' },
    where: { on: ['worker', 'home'] },
  }
  // Home takes none of its own until the first is on its way.
  await home.client.drain({ body: { draining: true } })
  const { jobId } = await home.client.createJob({ body })
  await home.until(jobId, event => event.body.type === 'attempt.process')
  expect((await worker.client.drainStatus()).running).toHaveLength(1)
  gate.shut()
  await home.client.drain({ body: { draining: false } })
  await home.until(jobId, event => event.body.type === 'attempt.aside')
  await home.until(jobId, event => event.body.type === 'attempt.started' && event.body.epoch === 2)
  return jobId
}
const accepted = (events: readonly JobEvent[]) => events.filter(({ body }) => body.type === 'result.accepted')
const runningOn = async ({ client }: TestNode): Promise<number> => (await client.drainStatus()).running.length
const sees = (log: string, word: string): number => log.split(`${word}\n`).length - 1

describe.skipIf(!hasSandbox)('a job that keeps both', () => {
  it('takes the first attempt when that ends first, stops the second, and has one whole log', { timeout: 90_000 }, () =>
    within(async world => {
      const { home, worker, gate, repository } = world
      const jobId = await disconnected(world, `sleep ${SHORT}; echo two >> a.txt`)
      gate.open()
      const { job, events, log } = await home.finish(jobId)
      expect(job.failure).toBeNull()
      expect(job).toMatchObject({ state: 'succeeded', epoch: 2 })
      expect(job.result).toMatchObject({ epoch: 1, checks: [{ verdict: 'fixed' }] })
      expect(accepted(events)).toHaveLength(1)
      expect(events.map(({ n }) => n)).toEqual(events.map((_, index) => index + 1))
      expect(repository.git('show', `refs/skein/jobs/${jobId}:a.txt`)).toBe('one\ntwo\n')
      // The last part of the log is that of the attempt that won, from its begin to its end.
      const whole = log.slice(log.indexOf('── attempt 1 ended first'))
      expect(sees(whole, 'begin')).toBe(1)
      expect(sees(whole, 'end')).toBe(1)
      expect(Buffer.byteLength(log)).toBe(job.result?.logBytes)
      const [check] = job.result?.checks ?? []
      const at = Buffer.from(log)
        .subarray(check?.result.logOffset ?? 0)
        .toString()
      expect(at).toMatch(/^── check 1 exited with code 0/)
      await expect.poll(() => runningOn(worker), SOON).toBe(0)
      await expect.poll(() => runningOn(home), SOON).toBe(0)
    }),
  )

  it('takes the second attempt when that ends first, and tells the first to stop once it can', { timeout: 90_000 }, () =>
    within(async world => {
      const { home, worker, gate } = world
      const jobId = await disconnected(world, 'echo two >> a.txt; sleep 1')
      const { job, events, log } = await home.finish(jobId)
      expect(job.failure).toBeNull()
      expect(job.result?.epoch).toBe(2)
      expect(accepted(events)).toHaveLength(1)
      expect(log).not.toContain('ended first')
      await home.restart()
      gate.open()
      await expect.poll(async () => (await worker.client.drainStatus()).running.length, SOON).toBe(0)
      await expect.poll(async () => hostedOf(worker), SOON).toEqual([])
      expect((await home.client.getJob({ params: { id: jobId } })).result?.epoch).toBe(2)
    }),
  )

  it('goes on with the second when the node of the first has lost it', { timeout: 90_000 }, () =>
    within(async world => {
      const { home, worker, gate } = world
      const jobId = await disconnected(world, 'sleep 12; echo two >> a.txt')
      await worker.restart()
      gate.open()
      const { job, events } = await home.finish(jobId)
      expect(job.result?.epoch).toBe(2)
      expect(accepted(events)).toHaveLength(1)
    }),
  )

  it('ends both when a person cancels it', { timeout: 90_000 }, () =>
    within(async world => {
      const { home, worker, gate } = world
      const jobId = await disconnected(world, 'sleep 1000')
      await home.client.cancelJob({ params: { id: jobId } })
      expect((await home.finish(jobId)).job.state).toBe('cancelled')
      expect(await runningOn(worker)).toBe(1)
      gate.open()
      await expect.poll(() => runningOn(worker), SOON).toBe(0)
    }),
  )

  it('is still won by the first after its home was restarted', { timeout: 90_000 }, () =>
    within(async world => {
      const { home, gate } = world
      const jobId = await disconnected(world, `sleep ${SHORT + 6}; echo two >> a.txt`)
      await home.restart()
      gate.open()
      const { job, events } = await home.finish(jobId)
      expect(job.failure).toBeNull()
      expect(job.result?.epoch).toBe(1)
      expect(accepted(events)).toHaveLength(1)
    }),
  )
})

/** What a worker keeps of attempts of others. */
async function hostedOf({ dataDir }: TestNode): Promise<string[]> {
  return (await readdir(`${dataDir}/hosted`)).filter(name => name !== 'logs')
}
