import { Worker } from 'node:worker_threads'
import { pino } from 'pino'
import { createApi } from '#server/api/index.ts'
import { createJobs, type JobDeps } from '#server/jobs/index.ts'
import type { Handlers } from '#server/lib/call.ts'
import { type Clock, systemClock } from '#server/lib/clock.ts'
import { createJobIds } from '#server/lib/ids.ts'
import type { Store } from '#server/store/index.ts'
import { operations } from '#shared/contract/index.ts'
import { Config, DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from '#shared/model/index.ts'
import { raw } from './admission.bench.ts'
import { defineBench, type SideContext } from './bench.ts'
import type { Load } from './rest-load.ts'
import { openStore, spin } from './workload.ts'

const CONNECTIONS = 64
const JOBS = 10_000
const WARM_UP = 2_000
const TOKEN = 'x'.repeat(43)
const BODY = JSON.stringify({ agent: 'command', argv: ['true'], task: 'x'.repeat(960) })
const REQUEST = `POST /v1/jobs HTTP/1.1\r
Host: localhost\r
Authorization: Bearer ${TOKEN}\r
Content-Type: application/json\r
Content-Length: ${BODY.length}\r
\r
${BODY}`

/** The way of a job from the wire to the disk; nothing claims it, because running is not what is measured. */
async function rest({ directory, defer }: SideContext, slowdown = () => {}): Promise<number> {
  const store = await openStore(directory)
  defer(() => store.close())
  const jobs = createJobs(jobDeps({ ...store, claim: async () => [] }, directory, systemClock))
  await jobs.start()
  defer(() => jobs.stop())
  const { createJob } = jobs.handlers
  const handlers = {
    ...Object.fromEntries(
      Object.keys(operations).map(name => [name, () => Promise.reject(new Error(`${name} is not measured`))]),
    ),
    createJob: (...call: Parameters<typeof createJob>) => {
      slowdown()
      return createJob(...call)
    },
  }
  const api = createApi({
    handlers: handlers as unknown as Handlers,
    token: { matches: candidate => candidate === TOKEN },
    roleOf: async () => null,
    authenticatePeer: () => Promise.reject(new Error('There are no nodes here')),
    config: { ...Config.parse({ dataDir: directory }).api, port: 0, requestsPerMinute: 1e9 },
    version: '0.0.0',
    clock: systemClock,
    log: pino({ level: 'silent' }),
  })
  const { port } = await api.listen()
  defer(() => api.close(0))
  const workerData: Load = { port, connections: CONNECTIONS, warmUp: WARM_UP, requests: JOBS, request: REQUEST }
  const worker = new Worker(new URL('./rest-load.ts', import.meta.url), { workerData })
  return new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
}

/** Real admission into a real store; what it asks the machine about answers at once. */
function jobDeps(store: Store, directory: string, clock: Clock): JobDeps {
  const none = async () => []
  const usable = {
    id: 'command',
    title: '',
    kind: 'command',
    usable: true,
    command: null,
    version: null,
    detail: '',
    remedy: null,
  }
  const deps = {
    store,
    clock,
    logs: { totalBytes: async () => 0 },
    workspace: { totalBytes: async () => 0, kept: none },
    executors: [
      {
        kind: 'process',
        probe: async () => ({ available: true, isolation: 'process', detail: '', remedy: null }),
        reap: async () => 0,
        close: async () => {},
      },
    ],
    agents: [{ id: 'command', kind: 'command', title: '', probe: async () => usable, needs: async () => ({}) }],
    secrets: { find: () => null },
    newJobId: createJobIds(clock),
    newToken: () => TOKEN,
    freeBytes: async () => Number.MAX_SAFE_INTEGER,
    directories: { data: directory, attempts: directory, artifacts: directory, runtime: directory },
    settings: {
      concurrency: 1,
      allowNoSandbox: true,
      timeouts: DEFAULT_TIMEOUTS,
      limits: DEFAULT_LIMITS,
      graceMs: 0,
      networkAllow: [],
      storage: Config.parse({ dataDir: directory }).storage,
    },
    log: pino({ level: 'silent' }),
  }
  return deps as unknown as JobDeps
}

export default defineBench({
  name: 'rest-admission',
  unit: 'jobs/s',
  a: { what: `POST /v1/jobs of 1 KiB over ${CONNECTIONS} kept-alive connections`, run: context => rest(context) },
  b: { what: 'raw node:sqlite inserts of the same rows, 100 jobs a transaction', run: context => raw(context, JOBS, 100) },
  planted: { what: '200 µs more a request', run: context => rest(context, () => spin(200)) },
  bar: { atLeast: 0.5 },
  note:
    'B makes no requests at all, and the caller of A, a thread of the same process, takes one of two cores. ' +
    'A bare node:http server that parses the same bodies and stores nothing reaches about a quarter of B, so the bar is out of reach over HTTP/1.1.',
})
