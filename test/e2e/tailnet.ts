import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Peer } from '#shared/model/index.ts'

const execute = promisify(execFile)
const script = fileURLToPath(new URL('../lab/tailnet/tailnet', import.meta.url))
const program = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
const lab = resolve(process.env.LAB_TAILNET ?? '.lab/tailnet')

/** A policy of the control server: who reaches whom, and what it grants (test/lab/tailnet/main.go). */
export interface Policy {
  readonly users: Readonly<Record<string, string>>
  readonly grants: readonly { src: string[]; dst: string[]; ip?: string[]; app?: Record<string, unknown[]> }[]
  readonly removed?: readonly string[]
}

/** Three machines of a tailnet, each in a network namespace or, without an interface, all in this one: `a` and `b` under tag:skein, `c` of alice@example.com. */
export interface Tailnet extends AsyncDisposable {
  policy(policy: Policy): void
  /** Starts a server on a machine. */
  serve(machine: string, env?: Readonly<Record<string, string>>): Promise<Server>
}

export interface Server {
  /** Runs the command line there. @returns what it prints */
  skein(...argv: string[]): Promise<string>
  peers(): Promise<Peer[]>
  /** Waits until what it says of its peers fits. */
  until(fits: (peers: readonly Peer[]) => boolean): Promise<void>
  /** Removes a file of its data while it is stopped. */
  forget(file: string): void
  start(): Promise<void>
  stop(): Promise<void>
}

/** Why machines cannot have network namespaces of their own here; null when they can. */
export function whyNoNamespaces(): string | null {
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  try {
    execFileSync('ip', ['netns', 'list'], { stdio: 'ignore' })
    return null
  } catch {
    return '`ip netns` is not usable here (apt install iproute2)'
  }
}

/** Why the lab cannot be used here; null when it can. */
export function whyNoTailnet(): string | null {
  try {
    for (const name of ['tailscale', 'tailscaled', 'control']) accessSync(join(lab, 'bin', name), constants.X_OK)
    return null
  } catch {
    return `no tailscaled was built in ${lab}; with Go 1.26: \`test/lab/tailnet/tailnet build\``
  }
}

/** @param kind with an interface each (needs root), or in userspace: incoming by loopback, outgoing by a proxy */
export async function startTailnet(kind: 'tun' | 'userspace', policy: Policy): Promise<Tailnet> {
  const directory = mkdtempSync(join(tmpdir(), 'skein-tailnet-'))
  const file = join(directory, 'policy.json')
  const env = { ...process.env, LAB_TAILNET: lab, LAB_TAILNET_POLICY: file }
  const servers: { stop(): Promise<void> }[] = []
  const run = (...argv: string[]) => execFileSync(script, argv, { env, stdio: 'ignore' })
  writeFileSync(file, JSON.stringify(policy))
  run('down')
  try {
    run('up', ...(kind === 'tun' ? ['--tun'] : []))
  } catch (error) {
    run('down')
    throw error
  }
  return {
    policy(next) {
      writeFileSync(file, JSON.stringify(next))
      run('policy')
    },
    async serve(machine, more = {}) {
      const server = nodeOn(machine, join(directory, machine), kind === 'tun' ? insideOf(machine) : beside(machine), more)
      servers.push(server)
      await server.start()
      return server
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(servers.map(server => server.stop()))
      run('down')
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

interface Way {
  /** What is put before a command line. */
  readonly before: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

const insideOf = (machine: string): Way => ({ before: ['nsenter', `--net=/run/netns/tn${machine}`], env: {} })

/** In userspace all machines have one loopback, so each has a port of its own; `a` and `b` ask each other. */
function beside(machine: string): Way {
  const number = machine.charCodeAt(0) - 'a'.charCodeAt(0)
  const env = {
    API_PORT: String(29_100 + number),
    SKEIN_TAILSCALE_PORT: String(29_100 + (1 - number)),
    NODE_USE_ENV_PROXY: '1',
    HTTP_PROXY: `http://127.0.0.1:${19_201 + number}`,
    NO_PROXY: '127.0.0.1',
  }
  return { before: [], env }
}

function nodeOn(machine: string, dataDir: string, way: Way, more: Readonly<Record<string, string>>): Server {
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: dataDir,
    OLLAMA_HOST: 'http://127.0.0.1:9',
    SKEIN_DATA_DIR: dataDir,
    SKEIN_NODE_NAME: `node-${machine}`,
    SKEIN_TAILSCALE_SOCKET: join(lab, machine, 'sock'),
    ...way.env,
    ...more,
  }
  const command = (...argv: string[]): [string, string[]] => {
    const [first = process.execPath, ...rest] = [...way.before, process.execPath, program, ...argv]
    return [first, rest]
  }
  let child: ChildProcess | null = null

  const server: Server = {
    async skein(...argv) {
      const { stdout } = await execute(...command(...argv), { env })
      return stdout
    },
    peers: async () => (JSON.parse(await server.skein('peers', '--json')) as { items: Peer[] }).items,
    async until(fits) {
      while (!fits(await server.peers()));
    },
    forget: name => rmSync(join(dataDir, name)),
    async start() {
      const started = spawn(...command('serve', '--log-level', 'warn'), { env, stdio: ['ignore', 'pipe', 'inherit'] })
      child = started
      await once(started.stdout, 'data')
    },
    async stop() {
      if (!child || child.exitCode !== null) return
      const ended = once(child, 'exit')
      child.kill()
      await ended
      child = null
    },
  }
  return server
}
