import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { type Client, createClient } from '#shared/contract/index.ts'

const SKEIN = resolve(import.meta.dirname, '../../../cli/main.ts')

/** A node in a process of its own, that can be killed and started anew on the same data. */
export interface ServerOfItsOwn extends AsyncDisposable {
  /** @param env more of it */
  start(env?: Readonly<Record<string, string>>): Promise<{ server: ChildProcess; client: Client }>
  /** Waits until it is gone. */
  end(server: ChildProcess, signal: NodeJS.Signals): Promise<void>
}

/** @param settings of its executor for a cluster */
export async function serverOfItsOwn(settings: object): Promise<ServerOfItsOwn> {
  const dataDir = await mkdtemp(join(tmpdir(), 'skein-kube-server-'))
  const file = join(dataDir, 'skein.yaml')
  await writeFile(file, JSON.stringify({ executors: { kubernetes: settings }, jobs: { graceMs: 300 } }))
  const base = { PATH: process.env.PATH, HOME: dataDir, OLLAMA_HOST: 'http://127.0.0.1:9', SKEIN_TAILSCALE_SOCKET: 'off' }
  const started: ChildProcess[] = []
  const isOver = ({ exitCode, signalCode }: ChildProcess) => exitCode !== null || signalCode !== null
  const end = async (server: ChildProcess, signal: NodeJS.Signals) => {
    const gone = once(server, 'exit')
    if (!isOver(server) && server.kill(signal)) await gone
  }
  return {
    end,
    async start(env = {}) {
      const argv = [SKEIN, 'serve', '--json', '--port', '0', '--data-dir', dataDir, '--config', file, '--log-level', 'warn']
      const server = spawn(process.execPath, argv, { env: { ...base, ...env }, stdio: ['ignore', 'pipe', 'inherit'] })
      started.push(server)
      const [line] = (await once(createInterface(server.stdout), 'line')) as [string]
      const { url } = JSON.parse(line) as { url: string }
      const token = (await readFile(join(dataDir, 'token'), 'utf8')).trim()
      return { server, client: createClient((path, init) => fetch(url + path, init as RequestInit), token) }
    },
    async [Symbol.asyncDispose]() {
      for (const server of started) await end(server, 'SIGTERM')
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
