import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Worker } from 'node:worker_threads'
import { pino } from 'pino'
import { createApi } from '#server/api/index.ts'
import type { Handlers } from '#server/lib/call.ts'
import { systemClock } from '#server/lib/clock.ts'
import { operations } from '#shared/contract/index.ts'
import { Config } from '#shared/model/index.ts'
import { composeJobs } from '../faults/parts.ts'
import { raw } from './admission.bench.ts'
import { defineBench, type SideContext } from './bench.ts'
import type { Load } from './rest-load.ts'
import { spin } from './workload.ts'

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
  const node = await composeJobs({
    dataDir: directory,
    clock: systemClock,
    wrap: (port, name) => (name === 'store' ? { ...port, claim: async () => [] } : port),
  })
  defer(node.close)
  const { jobs } = node
  await jobs.start()
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
    pages: { manifest: () => null, file: async () => null },
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
  return load(port)
}

/** The least that can answer the same requests. */
async function bareHttp({ defer }: SideContext): Promise<number> {
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', chunk => {
      body += chunk
    })
    request.on('end', () => {
      const answer = JSON.stringify({ jobId: '00000000000000', status: JSON.parse(body).agent })
      response.writeHead(202, { 'content-type': 'application/json', 'content-length': answer.length })
      response.end(answer)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  defer(() => {
    server.close()
    server.closeAllConnections()
  })
  return load((server.address() as AddressInfo).port)
}

/** Requests answered a second. */
function load(port: number): Promise<number> {
  const workerData: Load = { port, connections: CONNECTIONS, warmUp: WARM_UP, requests: JOBS, request: REQUEST }
  const worker = new Worker(new URL('./rest-load.ts', import.meta.url), { workerData })
  return new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
}

const a = {
  what: `POST /v1/jobs of 1 KiB over ${CONNECTIONS} kept-alive connections`,
  run: (context: SideContext) => rest(context),
}
const planted = { what: '200 µs more a request', run: (context: SideContext) => rest(context, () => spin(200)) }
const note = 'B makes no requests at all, and the caller of A, a thread of the same process, takes one of two cores.'

export default defineBench(
  {
    name: 'rest-admission',
    unit: 'jobs/s',
    a,
    b: {
      what: 'raw node:sqlite inserts of the same rows, as durable: each on disk before the next',
      run: context => raw(context, JOBS, 1),
    },
    planted,
    bar: { atLeast: 0.5 },
    note,
  },
  {
    name: 'rest-admission-batch',
    unit: 'jobs/s',
    a,
    b: {
      what: 'raw node:sqlite inserts of the same rows, 100 jobs a transaction',
      run: context => raw(context, JOBS, 100),
    },
    planted,
    bar: { atLeast: 0.5 },
    ceiling: { what: 'a bare node:http server that parses the same bodies and stores nothing', run: bareHttp },
    note: `${note} More than was asked for: no row of B is durable before the hundredth is.`,
  },
)
