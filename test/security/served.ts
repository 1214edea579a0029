import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type Client, createClient } from '#shared/contract/index.ts'
import { isEnd, type Job, type JobRequest, type NodeId } from '#shared/model/index.ts'

const program = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))

/** A server in a process of its own, so that its memory and its log are its own. */
export interface Served extends AsyncDisposable {
  readonly url: string
  readonly id: NodeId
  readonly client: Client
  readonly dataDir: string
  /** What it logged at `warn` and above, a line each. */
  readonly log: () => string
  /** Highest resident memory since its start, bytes. */
  readonly peakBytes: () => number
  /** Submits a job and waits for its end. */
  run(request: JobRequest): Promise<Job>
}

export async function serve(name: string): Promise<Served> {
  const dataDir = mkdtempSync(join(tmpdir(), 'skein-served-'))
  const config = join(dataDir, 'skein.yaml')
  writeFileSync(config, 'fleet:\n  leaseMs: 5000\njobs:\n  graceMs: 300\nnode:\n  concurrency: 4\n')
  const flags = ['--json', '--port', '0', '--data-dir', dataDir, '--config', config, '--name', name, '--log-level', 'warn']
  const child = spawn(process.execPath, [program, 'serve', ...flags], {
    env: { PATH: process.env.PATH, HOME: dataDir, OLLAMA_HOST: 'http://127.0.0.1:9', SKEIN_TAILSCALE_SOCKET: 'off' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let log = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    log += text
  })
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const { url } = JSON.parse(line) as { url: string }
  const token = readFileSync(join(dataDir, 'token'), 'utf8').trim()
  const client = createClient((path, init) => fetch(url + path, init as RequestInit), token)
  const { node: id } = await client.nodeInfo()
  return {
    url,
    id,
    client,
    dataDir,
    log: () => log,
    peakBytes: () => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) * 1024,
    async run(request) {
      const { jobId: id } = await client.createJob({ body: request })
      for (;;) {
        const job = await client.getJob({ params: { id } })
        if (isEnd(job.state)) return job
        await new Promise(resolve => setTimeout(resolve, 50))
      }
    },
    async [Symbol.asyncDispose]() {
      const gone = once(child, 'exit')
      child.kill()
      await gone
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}
