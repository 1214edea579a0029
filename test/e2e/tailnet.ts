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

/** Three machines of a tailnet, each in a network namespace: `a` and `b` under tag:skein, `c` of alice@example.com. */
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

/** Why the lab cannot be used here; null when it can. */
export function whyNoTailnet(): string | null {
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  try {
    execFileSync('ip', ['netns', 'list'], { stdio: 'ignore' })
  } catch {
    return '`ip netns` is not usable here (apt install iproute2)'
  }
  try {
    for (const name of ['tailscale', 'tailscaled', 'control']) accessSync(join(lab, 'bin', name), constants.X_OK)
    return null
  } catch {
    return `no tailscaled was built in ${lab}; with Go 1.26: \`test/lab/tailnet/tailnet build\``
  }
}

export async function startTailnet(policy: Policy): Promise<Tailnet> {
  const directory = mkdtempSync(join(tmpdir(), 'skein-tailnet-'))
  const file = join(directory, 'policy.json')
  const env = { ...process.env, LAB_TAILNET: lab, LAB_TAILNET_POLICY: file }
  const servers: { stop(): Promise<void> }[] = []
  const run = (...argv: string[]) => execFileSync(script, argv, { env, stdio: 'ignore' })
  writeFileSync(file, JSON.stringify(policy))
  run('down')
  run('up', '--tun')
  return {
    policy(next) {
      writeFileSync(file, JSON.stringify(next))
      run('policy')
    },
    async serve(machine, more = {}) {
      const server = nodeOn(machine, join(directory, machine), more)
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

function nodeOn(machine: string, dataDir: string, more: Readonly<Record<string, string>>): Server {
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: dataDir,
    OLLAMA_HOST: 'http://127.0.0.1:9',
    SKEIN_DATA_DIR: dataDir,
    SKEIN_NODE_NAME: `node-${machine}`,
    SKEIN_TAILSCALE_SOCKET: join(lab, machine, 'sock'),
    ...more,
  }
  const inside = (...argv: string[]) => [`--net=/run/netns/tn${machine}`, process.execPath, program, ...argv]
  let child: ChildProcess | null = null

  const server: Server = {
    async skein(...argv) {
      const { stdout } = await execute('nsenter', inside(...argv), { env })
      return stdout
    },
    peers: async () => (JSON.parse(await server.skein('peers', '--json')) as { items: Peer[] }).items,
    async until(fits) {
      while (!fits(await server.peers()));
    },
    forget: name => rmSync(join(dataDir, name)),
    async start() {
      const started = spawn('nsenter', inside('serve', '--log-level', 'warn'), { env, stdio: ['ignore', 'pipe', 'inherit'] })
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
