import { rmSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type Clock, systemClock } from '#server/lib/clock.ts'
import { JobSpec } from '#shared/model/index.ts'
import { hasSandbox } from '../e2e/node.ts'
import { makeRepository } from './node.ts'
import { composeJobs } from './parts.ts'

const HOUR_MS = 3_600_000

describe.skipIf(!hasSandbox)('a wall clock that steps back', () => {
  it('neither ends nor holds up a job, and its events stay in order', async () => {
    const { root, repository, dataDir } = makeRepository()
    let stepped = 0
    // Time goes on as it does; an administrator sets the clock back at every look at it.
    const clock: Clock = {
      ...systemClock,
      now() {
        stepped += HOUR_MS
        return systemClock.now() - stepped
      },
    }
    const { jobs, events, close } = await composeJobs({ dataDir, clock })
    await jobs.start()
    const body = JobSpec.parse({
      agent: 'command',
      argv: ['sh', '-c', 'echo three >> a.txt'],
      repository: { path: repository },
      checks: [['grep', '-q', 'three', 'a.txt']],
    })
    const call = { signal: new AbortController().signal }
    const accepted = await jobs.handlers.createJob({ body, headers: {} }, call)
    const id = accepted.body.jobId
    const seen: number[] = []
    for await (const event of events.follow(id, 0, call.signal)) seen.push(event.n)
    expect(seen).toEqual(seen.map((_, index) => index + 1))
    const { body: job } = await jobs.handlers.getJob({ params: { id } }, call)
    expect(job).toMatchObject({ state: 'succeeded', result: { checks: [{ verdict: 'fixed' }] } })
    for (const duration of Object.values(job.result?.durations ?? {})) expect(duration).toBeGreaterThanOrEqual(0)
    await close()
    rmSync(root, { recursive: true, force: true })
  })
})
