import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { type Carrier, type Client, createClient, type Response_ } from '#shared/contract/index.ts'
import { type Life, launch } from '../shipped.ts'
import type { Network, Plugged } from './network.ts'
import type { Route } from './relay.ts'

/** Where every node listens. */
export const PORT = 8080
const program = fileURLToPath(new URL('relay.ts', import.meta.url))

/** The shipped server on a machine of its own. */
export interface Machine {
  readonly name: string
  readonly dataDir: string
  readonly plug: Plugged
  /** Reaches it whatever befell its network. */
  readonly client: Client
  readonly life: Omit<Life, 'client'>
  boot(): Promise<void>
  /** `kill -9` and start again. */
  die(): Promise<void>
  /** Ends it as a person would. */
  stop(): Promise<void>
  freeze(): void
  thaw(): void
  move(): Promise<void>
}

/** Connections from the test into the network, and slow ones within it. */
export interface Relay {
  route(route: Route): Promise<void>
}

export function startRelay(network: Network): Relay {
  const [command = '', ...argv] = [...network.onHub, process.execPath, program]
  const child: ChildProcess = spawn(command, argv, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  return {
    async route(route) {
      const listening = new Promise<void>(resolve => {
        const hear = (message: unknown) => {
          if ((message as { listening?: string }).listening !== route.name) return
          child.off('message', hear)
          resolve()
        }
        child.on('message', hear)
      })
      child.send(route)
      await listening
    },
  }
}

export async function startMachine(root: string, name: string, network: Network, relay: Relay): Promise<Machine> {
  const plug = network.plug()
  const dataDir = join(root, name)
  const socket = join(root, `${name}.sock`)
  const config = join(root, `${name}.yaml`)
  mkdirSync(dataDir)
  writeFileSync(config, 'fleet:\n  leaseMs: 5000\njobs:\n  graceMs: 300\n')
  const reach = () => relay.route({ name, listen: socket, to: { address: plug.address, port: PORT } })
  const options = ['--host', '0.0.0.0', '--port', String(PORT), '--name', name, '--config', config]
  const boot = () => launch({ dataDir, before: plug.inside, options })
  await reach()
  let life = await boot()
  const end = async (signal: NodeJS.Signals) => {
    const gone = once(life.child, 'exit')
    life.child.kill(signal)
    await gone
  }
  return {
    name,
    dataDir,
    plug,
    client: createClient(overSocket(socket), life.token),
    get life() {
      return life
    },
    async boot() {
      life = await boot()
    },
    async die() {
      await end('SIGKILL')
      life = await boot()
    },
    stop: () => end('SIGTERM'),
    freeze: () => void life.child.kill('SIGSTOP'),
    thaw: () => void life.child.kill('SIGCONT'),
    async move() {
      plug.move()
      await reach()
    },
  }
}

/** Requests over a Unix socket, which no namespace of the network is in the way of. */
function overSocket(socketPath: string): Carrier {
  return (path, { method, headers, body }) =>
    new Promise<Response_>((resolve, reject) => {
      const sent = httpRequest(
        { socketPath, path, method, headers: { ...headers, host: '127.0.0.1', connection: 'close' } },
        answer => {
          const { statusCode = 500, headers: answered } = answer
          const plain = Object.entries(answered).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : []))
          const stream = Readable.toWeb(answer) as ReadableStream
          resolve(new Response(statusCode === 204 ? null : stream, { status: statusCode, headers: plain as [string, string][] }))
        },
      )
      sent.on('error', reject)
      sent.end(body)
    })
}
