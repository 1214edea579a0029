import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createClient } from '#shared/contract/index.ts'
import { bareSandbox } from './bare-sandbox.ts'
import { defineBench, type SideContext } from './bench.ts'

const server = fileURLToPath(new URL('../../bin/skein.js', import.meta.url))
const JOBS = 60
const WARM_UP = 10

/** Jobs a second through the shipped server: submitted over REST one after another, each run in a sandbox, logged and ended. */
async function product({ directory, defer }: SideContext, delayMs = 0): Promise<number> {
  const env = { ...process.env, SKEIN_DATA_DIR: directory, API_PORT: '0', SKEIN_CONCURRENCY: '1', SKEIN_LOG_LEVEL: 'fatal' }
  const child = spawn(process.execPath, [server, 'serve', '--json'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  defer(async () => {
    const gone = once(child, 'exit')
    if (child.kill()) await gone
  })
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const { url } = JSON.parse(line) as { url: string }
  const token = (await readFile(join(directory, 'token'), 'utf8')).trim()
  const client = createClient((path, init) => fetch(url + path, init as RequestInit), token)

  async function run(count: number): Promise<void> {
    let last = ''
    for (let index = 0; index < count; index++) {
      if (delayMs > 0) await setTimeout(delayMs)
      last = (await client.createJob({ body: { agent: 'command', argv: ['true'] } })).jobId
    }
    // One at a time and in order: when the last has ended, all have. The stream of its events ends with it.
    const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream' }
    await (await fetch(`${url}/v1/jobs/${last}/events`, { headers })).text()
    const job = await client.getJob({ params: { id: last } })
    if (job.state !== 'succeeded') throw new Error(`the last job is ${job.state}: ${job.failure?.detail}`)
  }
  await run(WARM_UP)
  const begun = performance.now()
  await run(JOBS)
  return (JOBS * 1000) / (performance.now() - begun)
}

/** The same program in the same isolation, started one after another and nothing else. */
async function onlySpawns({ directory }: SideContext): Promise<number> {
  const argv = bareSandbox(directory)
  async function run(count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      const child = spawn('bwrap', argv, { stdio: 'ignore' })
      const [code] = (await once(child, 'exit')) as [number | null]
      if (code !== 0) throw new Error(`bwrap failed: ${code}`)
    }
  }
  await run(WARM_UP)
  const begun = performance.now()
  await run(JOBS)
  return (JOBS * 1000) / (performance.now() - begun)
}

export default defineBench({
  name: 'whole-path',
  unit: 'jobs/s',
  a: { what: 'submit over REST, run `true` in a sandbox, log, end; one at a time', run: context => product(context) },
  b: { what: 'a loop that only spawns bubblewrap with `true`', run: onlySpawns },
  planted: { what: '100 ms before each submission', run: context => product(context, 100) },
  bar: { atLeast: 0.5 },
})
