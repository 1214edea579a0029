import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createSecrets } from '#server/access/index.ts'
import { commandAgent } from '#server/agents/command/index.ts'
import { clearRuntimeDirectory, nodeMarker, openDataDirectory } from '#server/data-directory.ts'
import { createEvents } from '#server/events/index.ts'
import { processExecutor } from '#server/executors/process/index.ts'
import { createGateway } from '#server/gateway/index.ts'
import { createJobs } from '#server/jobs/index.ts'
import { type Clock, systemClock } from '#server/lib/clock.ts'
import { createJobIds, newToken } from '#server/lib/ids.ts'
import { insideProgram } from '#server/lib/inside.ts'
import { createLogs } from '#server/logs/index.ts'
import { createModels } from '#server/models/index.ts'
import { sqliteStore } from '#server/store/sqlite/index.ts'
import { createLog } from '#server/telemetry/index.ts'
import { createWorkspace } from '#server/workspace/index.ts'
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS, JobSpec } from '#shared/model/index.ts'
import { hasSandbox } from '../e2e/node.ts'
import { makeRepository } from './node.ts'

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
    const directories = await openDataDirectory(dataDir)
    await clearRuntimeDirectory(directories)
    const log = createLog('silent')
    const store = await sqliteStore({ file: join(directories.data, 'skein.db'), clock, log })
    const events = createEvents({ store })
    const models = createModels({ providers: [], clock })
    const jobs = createJobs({
      store,
      logs: createLogs({ directory: join(directories.data, 'logs') }),
      events,
      workspace: createWorkspace({ directory: directories.data, log }),
      executors: [
        processExecutor({ nodeId: nodeMarker(directories.data), relayFile: insideProgram('relay'), graceMs: 500, clock, log }),
      ],
      agents: [commandAgent({ clock, graceMs: 500 })],
      models,
      gateway: createGateway({ models, log }),
      secrets: createSecrets(),
      clock,
      newJobId: createJobIds(clock),
      newToken,
      freeBytes: async () => 2 ** 40,
      directories,
      settings: {
        concurrency: 1,
        allowNoSandbox: true,
        timeouts: DEFAULT_TIMEOUTS,
        limits: DEFAULT_LIMITS,
        graceMs: 500,
        networkAllow: [],
        storage: { budgetBytes: 2 ** 40, reserveBytes: 0, keepEndedMs: 2 ** 40, idempotencyMs: 2 ** 40 },
      },
      log,
    })
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
    await jobs.stop()
    await store.close()
    rmSync(directories.runtime, { recursive: true, force: true })
    rmSync(root, { recursive: true, force: true })
  })
})
