/**
 * A node in a process of its own, built from the real parts, that kills itself with SIGKILL at a given step of its ports.
 * Arguments: data directory, number of the step to die at (0: never). Takes requests as IPC messages and answers them.
 */

import { join } from 'node:path'
import { createSecrets } from '#server/access/index.ts'
import { commandAgent } from '#server/agents/command/index.ts'
import { clearRuntimeDirectory, nodeMarker, openDataDirectory } from '#server/data-directory.ts'
import { createEvents } from '#server/events/index.ts'
import { processExecutor } from '#server/executors/process/index.ts'
import { createGateway } from '#server/gateway/index.ts'
import { createJobs } from '#server/jobs/index.ts'
import { systemClock as clock } from '#server/lib/clock.ts'
import { createJobIds, newToken } from '#server/lib/ids.ts'
import { insideProgram } from '#server/lib/inside.ts'
import { createLogs } from '#server/logs/index.ts'
import { createModels } from '#server/models/index.ts'
import { lockDataDirectory } from '#server/store/index.ts'
import { sqliteStore } from '#server/store/sqlite/index.ts'
import { createLog } from '#server/telemetry/index.ts'
import { createWorkspace } from '#server/workspace/index.ts'
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS, type JobEvent, type JobRequest, JobSpec } from '#shared/model/index.ts'
import { interrupted, type Step } from './interrupted.ts'

export type Request = { type: 'submit'; key: string; job: JobRequest } | { type: 'events'; id: string } | { type: 'stop' }
export type Report =
  | { type: 'ready' }
  | { type: 'accepted'; key: string; id: string }
  | { type: 'sealed'; id: string }
  | { type: 'events'; id: string; events: JobEvent[] }

const [dataDir = '', dieAt = '0'] = process.argv.slice(2)
const tell = (report: Report) => new Promise<void>(resolve => process.send?.(report, () => resolve()))

let number = 0
const step: Step = (name, when) => {
  number += 1
  if (number === Number(dieAt)) {
    // Synchronous, so that the parent knows where it happened although nothing after this line runs.
    process.stderr.write(`died ${when} ${name}\n`)
    process.kill(process.pid, 'SIGKILL')
    for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  }
}

const log = createLog('silent')
const directories = await openDataDirectory(dataDir)
await lockDataDirectory(directories.data)
await clearRuntimeDirectory(directories)
const store = interrupted(await sqliteStore({ file: join(directories.data, 'skein.db'), clock, log }), 'store', step)
const events = createEvents({ store })
const models = createModels({ providers: [], clock })
const executor = processExecutor({
  nodeId: nodeMarker(directories.data),
  relayFile: insideProgram('relay'),
  graceMs: 500,
  clock,
  log,
})
const jobs = createJobs({
  store,
  logs: interrupted(createLogs({ directory: join(directories.data, 'logs') }), 'logs', step),
  events,
  workspace: interrupted(createWorkspace({ directory: directories.data, log }), 'workspace', step),
  executors: [interrupted(executor, 'executor', step)],
  agents: [commandAgent({ clock, graceMs: 500 })],
  models,
  gateway: interrupted(createGateway({ models, log }), 'gateway', step),
  secrets: createSecrets(),
  clock,
  newJobId: createJobIds(clock),
  newToken,
  freeBytes: async () => 2 ** 40,
  directories,
  settings: {
    concurrency: 2,
    allowNoSandbox: true,
    timeouts: DEFAULT_TIMEOUTS,
    limits: DEFAULT_LIMITS,
    graceMs: 500,
    networkAllow: [],
    storage: { budgetBytes: 2 ** 40, reserveBytes: 0, keepEndedMs: 2 ** 40, idempotencyMs: 2 ** 40 },
  },
  log,
})

const never = new AbortController().signal

async function submit({ key, job }: Extract<Request, { type: 'submit' }>): Promise<void> {
  const answer = await jobs.handlers.createJob(
    { body: JobSpec.parse(job), headers: { 'idempotency-key': key } },
    { signal: never },
  )
  await tell({ type: 'accepted', key, id: answer.body.jobId })
}

async function stop(): Promise<void> {
  await jobs.stop()
  await store.close()
  process.exit(0)
}

/** Tells of every job whose last word is stored, those of earlier processes included. */
async function tellEnds(): Promise<void> {
  for await (const event of events.followAll(0, never))
    if (event.body.type === 'log.sealed') await tell({ type: 'sealed', id: event.jobId })
}

async function answer(request: Request): Promise<void> {
  switch (request.type) {
    case 'submit':
      return submit(request)
    case 'events':
      return tell({ type: 'events', id: request.id, events: await store.events(request.id, 0, 100_000) })
    case 'stop':
      return stop()
  }
}

process.on('message', (request: Request) => void answer(request))
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
await jobs.start()
await tell({ type: 'ready' })
await tellEnds()
