import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Lifetime } from '#server/lib/lifetime.ts'
import { type Client, createClient } from '#shared/contract/index.ts'

const program = fileURLToPath(new URL('../../bin/skein.js', import.meta.url))

/** A server in a process of its own, as a person starts it, that can be killed and started again at the same address. */
export interface PageServer {
  readonly url: string
  /** At WEB_PORT; null without one. */
  readonly webUrl: string | null
  readonly token: string
  readonly client: Client
  kill(): Promise<void>
  start(): Promise<void>
}

export async function startServer(life: Lifetime, env: Readonly<Record<string, string>> = {}): Promise<PageServer> {
  const dataDir = mkdtempSync(join(tmpdir(), 'skein-pages-'))
  life.defer(() => rmSync(dataDir, { recursive: true, force: true }))
  let child: ChildProcess | null = null
  let port = '0'
  let url = ''
  let webUrl: string | null = null

  async function start(): Promise<void> {
    const environment = {
      PATH: process.env.PATH ?? '',
      HOME: dataDir,
      SKEIN_DATA_DIR: dataDir,
      OLLAMA_HOST: 'http://127.0.0.1:9',
      SKEIN_TAILSCALE_SOCKET: 'off',
      SKEIN_LOG_LEVEL: 'fatal',
      SKEIN_NODE_NAME: 'laptop',
      ...env,
      API_PORT: port,
    }
    const started = spawn(process.execPath, [program, 'serve', '--json'], {
      env: environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    child = started
    const [line] = (await Promise.race([
      once(createInterface({ input: started.stdout }), 'line'),
      once(started, 'exit').then(() => Promise.reject(new Error('The server ended before it was ready'))),
    ])) as [string]
    const said = JSON.parse(line) as { url: string; webUrl?: string }
    url = said.url
    webUrl = said.webUrl ?? null
    port = new URL(url).port
  }
  async function kill(): Promise<void> {
    const mine = child
    child = null
    if (!mine || mine.exitCode !== null || mine.signalCode !== null) return
    const gone = once(mine, 'exit')
    mine.kill('SIGKILL')
    await gone
  }

  await start()
  life.defer(kill)
  const token = readFileSync(join(dataDir, 'token'), 'utf8').trim()
  const client = createClient((path, init) => fetch(url + path, init as RequestInit), token)
  return {
    get url() {
      return url
    },
    get webUrl() {
      return webUrl
    },
    token,
    client,
    kill,
    start,
  }
}
