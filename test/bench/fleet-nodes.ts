import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'
import { type Client, createClient } from '#shared/contract/index.ts'
import type { SideContext } from './bench.ts'

const cli = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
const LOG_BYTES = 1024 ** 3

/** A node in a process of its own, as users run it. */
export interface BenchNode {
  readonly url: string
  readonly token: string
  readonly client: Client
  readonly process: ChildProcess
}

export async function startNode(name: string, { directory, defer }: SideContext): Promise<BenchNode> {
  const dataDir = join(directory, name)
  const config = join(directory, `${name}.yaml`)
  mkdirSync(dataDir)
  writeFileSync(config, `jobs:\n  limits:\n    logBytes: ${LOG_BYTES}\n`)
  const flags = ['--json', '--port', '0', '--data-dir', dataDir, '--name', name, '--config', config, '--log-level', 'fatal']
  const env = { PATH: process.env.PATH, HOME: dataDir, OLLAMA_HOST: 'http://127.0.0.1:9', SKEIN_TAILSCALE_SOCKET: 'off' }
  const child = spawn(process.execPath, [cli, 'serve', ...flags], { env, stdio: ['ignore', 'pipe', 'ignore'] })
  defer(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const { url } = JSON.parse(line) as { url: string }
  const token = readFileSync(join(dataDir, 'token'), 'utf8').trim()
  return { url, token, client: createClient((path, init) => fetch(url + path, init as RequestInit), token), process: child }
}

/** Lets one node give its jobs to another. */
export async function pair(home: BenchNode, worker: BenchNode): Promise<void> {
  const { code } = await worker.client.createPairingCode()
  await home.client.addPeer({ body: { address: worker.url, code } })
}

export async function streamOf(node: BenchNode, defer: SideContext['defer']): Promise<WebSocket> {
  const socket = new WebSocket(`${node.url.replace('http', 'ws')}/v1/stream`, {
    headers: { authorization: `Bearer ${node.token}` },
    perMessageDeflate: false,
  })
  defer(() => socket.terminate())
  await once(socket, 'open')
  return socket
}
