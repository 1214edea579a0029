import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { resolveConfig } from '#server/config.ts'
import { Lifetime } from '#server/lib/lifetime.ts'
import { serve } from '#server/main.ts'
import { type Client, createClient } from '#shared/contract/index.ts'
import type { Job, JobEvent, JobRequest } from '#shared/model/index.ts'

/** A whole node of this process, on a port of its own, with everything real. */
export interface TestNode extends AsyncDisposable {
  readonly url: string
  readonly token: string
  readonly dataDir: string
  readonly client: Client
  /** Stops the server and starts another on the same data. */
  restart(): Promise<void>
  stop(): Promise<void>
  /** @param more settings that are others from now on */
  start(more?: Readonly<Record<string, unknown>>): Promise<void>
  /** Submits a job and waits until its last event. */
  run(request: JobRequest): Promise<Finished>
  /** Waits until the last event of a job. */
  finish(id: string): Promise<Finished>
  /** Waits for an event of a job. */
  until(id: string, fits: (event: JobEvent) => boolean): Promise<JobEvent>
}

export interface Finished {
  readonly job: Job
  readonly events: readonly JobEvent[]
  readonly log: string
}

/** Settings by dotted path, as flags give them; `env` is the whole environment of the node besides PATH. */
export async function startNode(
  flags: Readonly<Record<string, unknown>> = {},
  env: Readonly<Record<string, string>> = {},
): Promise<TestNode> {
  const life = new Lifetime()
  const dataDir = mkdtempSync(join(tmpdir(), 'skein-node-'))
  life.defer(() => rmSync(dataDir, { recursive: true, force: true }))
  const environment = { PATH: process.env.PATH ?? '', OLLAMA_HOST: 'http://127.0.0.1:9', SKEIN_TAILSCALE_SOCKET: 'off', ...env }
  const configured = async (more: Readonly<Record<string, unknown>>) => {
    const { config } = await resolveConfig({
      flags: { dataDir, 'api.port': 0, 'log.level': 'fatal', 'jobs.graceMs': 300, ...flags, ...more },
      env: environment,
      cwd: dataDir,
      home: dataDir,
    })
    return config
  }
  let config = await configured({})
  let server = await serve({ config, env: environment })
  life.defer(() => server.close())
  const token = readFileSync(join(config.dataDir, 'token'), 'utf8').trim()
  const client = createClient((path, init) => fetch(server.url + path, init as RequestInit), token)

  /** Server-sent events of a job from its first to its last. */
  async function* follow(id: string): AsyncGenerator<JobEvent> {
    const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream' }
    const response = await fetch(`${server.url}/v1/jobs/${id}/events`, { headers })
    let rest = ''
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const frames = (rest + chunk).split('\n\n')
      rest = frames.pop() ?? ''
      for (const frame of frames) {
        const data = frame.split('\n').find(line => line.startsWith('data:'))
        if (data) yield JSON.parse(data.slice(5)) as JobEvent
      }
    }
  }

  const node: TestNode = {
    get url() {
      return server.url
    },
    token,
    dataDir,
    client,
    async restart() {
      await node.stop()
      await node.start()
    },
    stop: () => server.close(),
    async start(more) {
      if (more) config = await configured(more)
      server = await serve({ config, env: environment })
    },
    async run(request) {
      const { jobId } = await client.createJob({ body: request })
      return node.finish(jobId)
    },
    async finish(id) {
      const events: JobEvent[] = []
      for await (const event of follow(id)) events.push(event)
      const [job, log] = await Promise.all([
        client.getJob({ params: { id } }),
        client.readLog({ params: { id } }).then(answer => answer.text()),
      ])
      return { job, events, log }
    },
    async until(id, fits) {
      for await (const event of follow(id)) if (fits(event)) return event
      throw new Error(`Job ${id} ended without the event that was waited for`)
    },
    [Symbol.asyncDispose]: () => life[Symbol.asyncDispose](),
  }
  return node
}

/** A repository of a test, removed with it. */
export interface TestRepository extends Disposable {
  readonly path: string
  git(...args: string[]): string
  write(name: string, text: string): void
}

export function makeRepository(files: Readonly<Record<string, string>>): TestRepository {
  const path = mkdtempSync(join(tmpdir(), 'skein-repository-'))
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', path, '-c', 'user.name=T', '-c', 'user.email=t@example.invalid', ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  const write = (name: string, text: string) => {
    mkdirSync(join(path, name, '..'), { recursive: true })
    writeFileSync(join(path, name), text)
  }
  for (const [name, text] of Object.entries(files)) write(name, text)
  git('init', '--quiet', '--initial-branch=main')
  git('add', '--all')
  git('commit', '--quiet', '--allow-empty', '--message=first')
  return { path, git, write, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

/** Whether sandboxes can be made here; says why not once. */
export const hasSandbox: boolean = (() => {
  try {
    execFileSync('bwrap', ['--unshare-all', '--ro-bind', '/', '/', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    console.warn('skipped: bubblewrap is not usable here (apt install bubblewrap)')
    return false
  }
})()
