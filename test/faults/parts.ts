import { join } from 'node:path'
import { createSecrets } from '#server/access/index.ts'
import { commandAgent } from '#server/agents/command/index.ts'
import { clearRuntimeDirectory, nodeMarker, openDataDirectory } from '#server/data-directory.ts'
import { createEvents } from '#server/events/index.ts'
import { processExecutor } from '#server/executors/process/index.ts'
import { createGateway } from '#server/gateway/index.ts'
import { createJobs } from '#server/jobs/index.ts'
import { insideProgram } from '#server/lib/built.ts'
import type { Clock } from '#server/lib/clock.ts'
import { nodeFiles } from '#server/lib/files.ts'
import { createJobIds, newToken } from '#server/lib/ids.ts'
import { createLogs } from '#server/logs/index.ts'
import { createModels } from '#server/models/index.ts'
import { lockDataDirectory } from '#server/store/index.ts'
import { sqliteStore } from '#server/store/sqlite/index.ts'
import { createLog } from '#server/telemetry/index.ts'
import { createWorkspace } from '#server/workspace/index.ts'
import { AcceptPolicy, DEFAULT_LIMITS, DEFAULT_TIMEOUTS, PlacementWeights } from '#shared/model/index.ts'
import { memoryDrain } from '#test/fakes/drain.ts'
import { alone } from '#test/fakes/fleet.ts'

/** How a test puts itself between jobs and what they work with. */
type Wrap = <T extends object>(port: T, name: string) => T

/** Jobs over the real parts, as the composition root makes them, with a test's clock and wrapping. */
export async function composeJobs({ dataDir, clock, wrap = port => port }: { dataDir: string; clock: Clock; wrap?: Wrap }) {
  const log = createLog('silent')
  const directories = await openDataDirectory(dataDir)
  const lock = await lockDataDirectory(directories.data)
  await clearRuntimeDirectory(directories)
  const store = wrap(await sqliteStore({ file: join(directories.data, 'skein.db'), clock, log }), 'store')
  const events = createEvents({ store })
  const models = createModels({ providers: [], clock })
  const executor = processExecutor({
    nodeId: nodeMarker(directories.data),
    directory: join(directories.data, 'executor'),
    relayFile: insideProgram('relay'),
    graceMs: 500,
    clock,
    log,
  })
  const jobs = createJobs({
    store,
    logs: wrap(createLogs({ directory: join(directories.data, 'logs') }), 'logs'),
    hostedLogs: createLogs({ directory: join(directories.hosted, 'logs') }),
    fleet: alone,
    node: {
      version: '0',
      capacity: async () => ({ cpuCores: 1, memoryBytes: 0, storageBytes: 0, gpuCount: 0, labels: {} }),
      power: async () => 'unknown',
      loadPerCore: () => 0,
    },
    random: Math.random,
    events,
    workspace: wrap(createWorkspace({ directory: directories.data, log }), 'workspace'),
    executors: [wrap(executor, 'executor')],
    agents: [commandAgent({ clock, graceMs: 500 })],
    models,
    sharedModels: models,
    gateway: wrap(createGateway({ log }), 'gateway'),
    secrets: createSecrets(),
    wordingOf: async () => null,
    clock,
    files: nodeFiles,
    newJobId: createJobIds(clock),
    newToken,
    freeBytes: async () => 2 ** 40,
    directories,
    drainFile: memoryDrain(),
    settings: {
      concurrency: 2,
      waiting: 2,
      price: null,
      allowNoSandbox: true,
      timeouts: DEFAULT_TIMEOUTS,
      limits: DEFAULT_LIMITS,
      graceMs: 500,
      networkAllow: [],
      leaseMs: 90_000,
      bidMs: 3_000,
      snapshotBytes: 2 ** 30,
      resultBytes: 2 ** 30,
      unackedBytes: 2 ** 24,
      models: 'prefer-worker',
      placement: PlacementWeights.parse({}),
      accept: AcceptPolicy.parse({}),
      storage: { budgetBytes: 2 ** 40, reserveBytes: 0, keepEndedMs: 2 ** 40, idempotencyMs: 2 ** 40 },
    },
    log,
  })
  return {
    jobs,
    events,
    store,
    async close() {
      await jobs.stop()
      await executor.close()
      await store.close()
      await lock.release()
    },
  }
}
