import { pipeline } from 'node:stream/promises'
import * as z from 'zod'
import type { Clock } from '#server/lib/clock.ts'
import { atMost } from '#server/lib/within.ts'
import type { IsolationLevel } from '#shared/model/index.ts'
import { environment, proxyEnvironment } from '../environment.ts'
import { type Exit, type ProcessIdentity, type Sandbox, SandboxError, type SandboxSpec } from '../index.ts'
import { SANDBOX_MARK } from '../process-table.ts'
import { carryWayOut } from './gateway-way.ts'
import { answered, type Line } from './line.ts'
import { type ProgramRequest, paths } from './protocol.ts'
import { remoteProgram } from './remote-program.ts'
import { receiveTree, TreeError, type TreeLimits } from './tree/receive.ts'
import { sendTree } from './tree/send.ts'

const count = z.number().min(0)
const Started = z.object({ pid: z.int(), startTicks: z.number() })
const Stats = z.object({ cpuMs: count, memoryBytes: count, processes: count, diskBytes: count })

/** A sandbox by way of its runner, and what only the executor that made its place may do. */
export interface RemoteSandbox extends Sandbox {
  /** The place is gone. */
  lose(reason: string): void
  /** A limit that the executor watches is passed: ends all programs, whose exit says so. */
  exceeded(limit: 'memory' | 'disk'): Promise<void>
  /** Sends the work tree in, where it is not mounted. @throws {SandboxError} */
  sendTree(directory: string, limits: TreeLimits): Promise<void>
  /** Brings the work tree back into an empty directory. @throws {SandboxError} and the directory may hold a part of it then */
  receiveTree(directory: string, limits: TreeLimits): Promise<void>
}

export interface RemoteSandboxOptions {
  readonly spec: SandboxSpec
  readonly isolation: IsolationLevel
  readonly workDir: string
  /** Inside. */
  readonly home: string
  readonly tmp: string
  readonly path: string
  readonly relayPort: number | null
  readonly graceMs: number
  readonly clock: Clock
  /** Which process of this machine it is, where the executor can tell. */
  readonly identify?: (inside: { pid: number; startTicks: number }) => ProcessIdentity | null
  /** Takes the place away. */
  readonly remove: () => Promise<void>
}

export function remoteSandbox(line: Line, options: RemoteSandboxOptions): RemoteSandbox {
  const { spec, workDir, clock, graceMs } = options
  const relayUrl = options.relayPort === null || spec.gatewaySocket === null ? null : `http://127.0.0.1:${options.relayPort}`
  const running = new Set<Promise<Exit>>()
  let starts = 0
  let passed: 'memory' | 'disk' | null = null
  let closed = false
  let ending: Promise<void> | null = null
  let cleaning: Promise<void> | null = null
  const { gatewaySocket } = spec
  if (gatewaySocket !== null && options.relayPort !== null) line.onSession(session => carryWayOut(session, gatewaySocket))

  const identity = (inside: z.infer<typeof Started>): ProcessIdentity =>
    options.identify?.(inside) ?? { pid: inside.pid, startTime: `inside ${spec.id}:${inside.startTicks}` }

  const signal = async (name: 'SIGTERM' | 'SIGKILL') => {
    await line.ask('POST', paths.signalAll(name))
  }

  const over = async () => {
    if (running.size > 0 && !line.lost.aborted) {
      await signal('SIGTERM')
      await atMost(clock, graceMs, Promise.all(running))
    }
    if (!line.lost.aborted) await line.ask('POST', paths.end)
  }

  /** A failure is for this caller; the next one tries again. */
  const end = () => {
    closed = true
    ending ??= over()
      .catch(cause => {
        // There is nobody to end it from inside: to remove the place does.
        if (!line.lost.aborted && !(cause instanceof SandboxError)) throw cause
      })
      .then(options.remove)
      .then(() => line.lose('it was ended'))
      .catch(cause => {
        ending = null
        throw cause
      })
    return ending
  }

  const failed = (what: string) => (cause: unknown) => {
    if (line.lost.aborted) throw line.lost.reason
    if (cause instanceof SandboxError) throw cause
    throw new SandboxError('failed', `${what}: ${(cause as Error).message}`, { cause })
  }

  return {
    isolation: options.isolation,
    workDir,
    relayUrl,
    lost: line.lost,
    lose: line.lose,
    async start({ argv, env, stdin, network }) {
      if (closed) throw new SandboxError('failed', `Sandbox ${spec.id} is cleaned up`)
      const id = `p${++starts}`
      const request: ProgramRequest = {
        argv,
        env: {
          ...environment(options),
          ...spec.env,
          [SANDBOX_MARK]: spec.id,
          ...(network && relayUrl ? proxyEnvironment(relayUrl) : {}),
          ...env,
        },
        stdin: stdin === 'pipe',
        limits: spec.limits,
      }
      const answer = await line.ask('PUT', paths.program(id), Buffer.from(JSON.stringify(request)))
      const started = Started.safeParse(answer)
      if (!started.success) {
        line.lose('its runner answers nonsense')
        throw line.lost.reason
      }
      const verdict = (exit: Exit): Exit => (passed ? { reason: 'limit', limit: passed } : exit)
      const program = remoteProgram({ id, line, stdin: request.stdin, identity: identity(started.data), verdict })
      const exit = program.wait()
      running.add(exit)
      void exit.then(() => running.delete(exit))
      return program
    },
    async stats() {
      return Stats.parse(await line.ask('GET', paths.stats))
    },
    signal,
    async exceeded(limit) {
      passed = limit
      await signal('SIGKILL').catch(() => {})
    },
    async sendTree(directory, { bytes, entries }) {
      const stream = await line.open('PUT', `${paths.tree}?bytes=${bytes}&entries=${entries}`, { endStream: false })
      const headers = answered(stream)
      headers.catch(() => {})
      const sent = pipeline(sendTree(directory), stream, { end: true })
      stream.resume()
      await sent.catch(failed('The work tree could not be sent'))
      const { ':status': status } = await headers.catch(failed('The work tree could not be sent'))
      if (Number(status) !== 200)
        throw new SandboxError('failed', 'The work tree was not taken: it is larger than allowed, or cannot be written')
    },
    async receiveTree(directory, limits) {
      const stream = await line.open('GET', paths.tree)
      await answered(stream).catch(failed('The work tree could not be had'))
      await receiveTree(stream, directory, limits).catch(cause => {
        if (cause instanceof TreeError) throw new SandboxError('failed', cause.message, { cause })
        throw cause
      })
      if (stream.aborted || stream.rstCode !== 0) failed('The work tree could not be had')(new Error('The connection broke'))
    },
    end,
    cleanup() {
      cleaning ??= end().catch(cause => {
        cleaning = null
        throw cause
      })
      return cleaning
    },
  }
}
