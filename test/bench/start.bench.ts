import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { defineBench, type SideContext } from './bench.ts'
import { openStore, spin } from './workload.ts'

const server = fileURLToPath(new URL('../../bin/skein.js', import.meta.url))
const bare = fileURLToPath(new URL('programs/bare.mjs', import.meta.url))
const STORED = 1_000_000
const IDLE_MS = 2_000

interface Started {
  readonly readyMs: number
  readonly child: ChildProcess
}

/** Starts a program that prints one line when it is ready; it ends with the side. */
async function start(args: string[], directory: string, defer: SideContext['defer']): Promise<Started> {
  const env = { ...process.env, SKEIN_DATA_DIR: directory, API_PORT: '0' }
  const begun = performance.now()
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'ignore'] })
  defer(async () => {
    const gone = once(child, 'exit')
    if (child.exitCode === null && child.signalCode === null && child.kill()) await gone
  })
  await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    once(child, 'exit').then(() => Promise.reject(new Error(`${args[0]} ended before it was ready`))),
  ])
  return { readyMs: performance.now() - begun, child }
}

const serve = (directory: string, defer: SideContext['defer']) => start([server, 'serve', '--json'], directory, defer)

async function residentMiB({ child }: Started): Promise<number> {
  await pause(IDLE_MS)
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024
}

const toReady = async ({ directory, defer }: SideContext) => (await serve(join(directory, 'data'), defer)).readyMs
const bareToReady = async ({ directory, defer }: SideContext) => (await start([bare, directory], directory, defer)).readyMs

async function afterRecovery({ directory, fixture, defer }: SideContext): Promise<number> {
  await cp(fixture, directory, { recursive: true })
  return (await serve(directory, defer)).readyMs
}

/** Slows a start by so much as one that walks its history would be. */
async function slowly(milliseconds: number, side: () => Promise<number>): Promise<number> {
  spin(milliseconds * 1000)
  return milliseconds + (await side())
}

/** Fills a database with jobs that have ended, with six events each. */
async function storeEndedJobs(directory: string): Promise<void> {
  await (await openStore(directory)).close()
  const db = new DatabaseSync(join(directory, 'skein.db'))
  const numbers = `WITH RECURSIVE number (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < ${STORED})`
  const spec = JSON.stringify({ task: 'x'.repeat(900), agent: 'command', argv: ['true'] })
  const event = JSON.stringify({ type: 'job.state', from: 'queued', to: 'placing', epoch: 1, failure: null })
  db.exec(`PRAGMA synchronous = OFF; BEGIN;
    ${numbers} INSERT INTO job SELECT i, printf('%014d', i), 'succeeded', 1, 0, i, i, i, i, i, 0, 0, 1, 6 FROM number;
    ${numbers} INSERT INTO request SELECT i, 'a job', '${spec}', NULL, NULL FROM number;
    ${numbers} INSERT INTO log SELECT i, 0, '', i FROM number;
    ${numbers} INSERT INTO event SELECT i * 6 + n.value, i, n.value + 1, i, '${event}' FROM number, json_each('[0,1,2,3,4,5]') n;
    COMMIT; PRAGMA wal_checkpoint(TRUNCATE)`)
  db.close()
}

const bareProgram = 'a bare Node program with node:sqlite and ws'

export default defineBench(
  {
    name: 'start',
    unit: 'ms',
    a: { what: 'exec to ready, empty data directory', run: toReady },
    b: { what: `exec to ready of ${bareProgram}`, run: bareToReady },
    planted: { what: '300 ms more', run: context => slowly(300, () => toReady(context)) },
    bar: { atMost: 2 },
  },
  {
    name: 'recovery',
    unit: 'ms',
    prepare: storeEndedJobs,
    a: { what: 'exec to ready with 1,000,000 stored jobs', run: afterRecovery },
    b: { what: `exec to ready of ${bareProgram}`, run: bareToReady },
    planted: { what: '500 ms more', run: context => slowly(500, () => afterRecovery(context)) },
    bar: { atMost: 3 },
  },
  {
    name: 'idle-memory',
    unit: 'MiB',
    a: {
      what: 'resident memory of an idle server',
      run: async ({ directory, defer }) => residentMiB(await serve(join(directory, 'data'), defer)),
    },
    b: {
      what: `resident memory of ${bareProgram}`,
      run: async ({ directory, defer }) => residentMiB(await start([bare, directory], directory, defer)),
    },
    planted: {
      what: '64 MiB more (added to the figure)',
      run: async ({ directory, defer }) => 64 + (await residentMiB(await serve(join(directory, 'data'), defer))),
    },
    bar: { atMost: 1.5 },
  },
)
