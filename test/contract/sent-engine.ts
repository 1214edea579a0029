import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createEngine, type Engine } from '#server/executors/container/engine.ts'
import type { Lifetime } from '#server/lib/lifetime.ts'
import { type Rule, readAllowList, ruleFor } from '../deploy/allow-list.ts'
import { ENGINE } from './executor-workshop.ts'

const podman = fileURLToPath(new URL('../lab/podman/podman', import.meta.url))
const execute = promisify(execFile)

/**
 * The Podman of test/lab/podman as a server has it in deploy/compose.yaml: by TCP, behind a proxy with the list of that file, which no path of the
 * server may be mounted through; with an internal network for the containers of jobs.
 */
export interface SentEngine {
  readonly engine: Engine
  /** `tcp://127.0.0.1:port` */
  readonly at: string
  readonly network: string
  /** Of the list, what was not needed so far. */
  unused(): string[]
  /** What was asked for and is not on the list. */
  readonly refused: readonly string[]
  /** Takes the proxy away, and puts it back. */
  stop(): Promise<void>
  start(): Promise<void>
}

/** @param name of the network, unique among tests that run at once */
export async function openSentEngine(life: Lifetime, name: string): Promise<SentEngine> {
  const network = `skein-test-${name}-${process.pid}`
  // One that resolves names leads out; without, Podman gives the machine an address there only when it is told which.
  const subnet = `10.89.${100 + (process.pid % 150)}`
  const own = ['--disable-dns', '--subnet', `${subnet}.0/24`, '--gateway', `${subnet}.1`]
  await execute(podman, ['run', 'network', 'create', '--internal', ...own, network])
  life.defer(async () => void (await execute(podman, ['run', 'network', 'rm', '--force', network])))
  const rules = readAllowList()
  const used = new Set<Rule>()
  const refused: string[] = []
  let server: Server | null = null
  let port = 0
  const start = async () => {
    server = proxy((method, path) => {
      const rule = ruleFor(rules, method, path)
      if (rule) used.add(rule)
      else refused.push(`${method} ${path}`)
      return rule !== undefined
    })
    await once(server.listen(port, '127.0.0.1'), 'listening')
    port = (server.address() as AddressInfo).port
  }
  const stop = async () => {
    const closed = server && once(server, 'close')
    server?.close()
    server?.closeAllConnections()
    server = null
    await closed
  }
  life.defer(stop)
  await start()
  return {
    ...{ network, refused, start, stop },
    engine: createEngine({ host: '127.0.0.1', port }),
    at: `tcp://127.0.0.1:${port}`,
    unused: () => rules.filter(rule => !used.has(rule)).map(({ method, pattern }) => `${method} ${pattern.source}`),
  }
}

/** Passes on what it lets through. */
const proxy = (lets: (method: string, path: string) => boolean): Server =>
  createServer((incoming, answer) => {
    const { method = '', url = '', headers } = incoming
    const refuse = (status: number, message: string) => answer.writeHead(status).end(JSON.stringify({ message }))
    if (!lets(method, decodeURIComponent(url.replace(/\?.*$/, '')))) return void refuse(403, `not on the list: ${method} ${url}`)
    const outgoing = request({ socketPath: ENGINE ?? '', method, path: url, headers, agent: false }, response => {
      answer.writeHead(response.statusCode ?? 502, response.headers)
      answer.flushHeaders()
      response.pipe(answer)
      response.on('error', () => answer.destroy())
    })
    outgoing.on('error', error => (answer.headersSent ? answer.destroy() : refuse(502, error.message)))
    answer.on('close', () => outgoing.destroy())
    if (method !== 'POST' || !/\/containers\/create\?/.test(url)) return void incoming.pipe(outgoing)
    const body: Buffer[] = []
    incoming.on('data', chunk => body.push(chunk))
    incoming.on('end', () => {
      const { HostConfig } = JSON.parse(Buffer.concat(body).toString()) as { HostConfig?: { Mounts?: { Type: string }[] } }
      if (HostConfig?.Mounts?.some(({ Type }) => Type === 'bind')) return refuse(403, 'nothing of this machine may be mounted')
      outgoing.end(Buffer.concat(body))
    })
  })
