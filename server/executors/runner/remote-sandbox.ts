import { pipeline } from 'node:stream/promises'
import * as z from 'zod'
import type { Clock } from '#server/lib/clock.ts'
import { doneOnce } from '#server/lib/done-once.ts'
import { atMost, soonOr } from '#server/lib/within.ts'
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

/** A sandbox by way of its runner, and what only the executor that made its place may do. Which image the place is, that executor knows. */
export interface RemoteSandbox extends Omit<Sandbox, 'image'> {
  /** The place is gone. */
  lose(reason: string): void
  /** The place is gone because all inside together used more than they may: no loss, but what ended its programs. */
  overrun(limit: 'memory' | 'disk'): void
  /** A limit that the executor watches is passed: ends all programs, whose exit says so. */
  exceeded(limit: 'memory' | 'disk'): Promise<void>
  /** Sends a directory in, where it is not mounted; default: as the work tree. @throws {SandboxError} */
  sendTree(directory: string, limits: TreeLimits, into?: string): Promise<void>
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
  /** Where programs are looked for; null: where the image says. */
  readonly path: string | null
  readonly relayPort: number | null
  readonly graceMs: number
  readonly clock: Clock
  /** Which process of this machine it is, where the executor can tell. */
  readonly identify?: (inside: { pid: number; startTicks: number }) => ProcessIdentity | null
  /** Called at the end, when no program runs any more and the runner still answers: what is wanted from inside is brought out. */
  readonly collect?: () => Promise<void>
  /** Takes the place away. */
  readonly remove: () => Promise<void>
}

/** A runner that is stopped, by a program that has its rights, must not hold up the end for longer than the grace; nor one that is slow, if that is none. */
const LEAST_ANSWER_MS = 2_000

export function remoteSandbox(line: Line, options: RemoteSandboxOptions): RemoteSandbox {
  const { spec, workDir, clock, graceMs } = options
  const relayUrl = options.relayPort === null || spec.gatewaySocket === null ? null : `http://127.0.0.1:${options.relayPort}`
  const running = new Set<Promise<Exit>>()
  let starts = 0
  let passed: 'memory' | 'disk' | null = null
  let closed = false
  /** Whether its end is our own doing. */
  let released = false
  const lost = new AbortController()
  line.lost.addEventListener('abort', () => released || lost.abort(line.lost.reason))
  const { gatewaySocket } = spec
  if (gatewaySocket !== null && options.relayPort !== null) line.onSession(session => carryWayOut(session, gatewaySocket))

  const identity = (inside: z.infer<typeof Started>): ProcessIdentity =>
    options.identify?.(inside) ?? { pid: inside.pid, startTime: `inside ${spec.id}:${inside.startTicks}` }

  const signal = async (name: 'SIGTERM' | 'SIGKILL') => {
    await line.askPromptly('POST', paths.signalAll(name))
  }

  /** Gives up on a runner that does not do it soon: to remove the place ends what is inside as well. */
  const soon = async (work: Promise<unknown>) => {
    const settled = work.then(
      () => true,
      () => true,
    )
    if (await soonOr(clock, Math.max(graceMs, LEAST_ANSWER_MS), settled, false)) return
    release('its runner did not answer when it was to end')
  }
  const release = (why: string) => {
    released = true
    line.lose(why)
  }

  const over = async () => {
    if (running.size > 0 && !line.lost.aborted) {
      await soon(signal('SIGTERM'))
      await atMost(clock, graceMs, Promise.all(running))
      await soon(signal('SIGKILL'))
    }
    const failure = line.lost.aborted ? null : await bringOut()
    released = true
    if (!line.lost.aborted) await soon(line.ask('POST', paths.end))
    return failure
  }

  /** Waits for a runner that is out of reach as long as it is not lost: without this, what was done inside is lost too. */
  const bringOut = async (): Promise<{ cause: unknown } | null> => {
    if (!options.collect) return null
    try {
      await signal('SIGKILL')
      await options.collect()
      return null
    } catch (cause) {
      return { cause }
    }
  }

  const endOnce = doneOnce(async () => {
    const failure = await over()
    await options.remove()
    release('it was ended')
    // Only now: what could not be brought out is no reason to leave the place.
    if (failure) throw failure.cause
  })
  const end = () => {
    closed = true
    return endOnce()
  }

  const failed = (what: string) => (cause: unknown) => {
    if (line.lost.aborted) throw line.lost.reason
    if (cause instanceof SandboxError) throw cause
    throw new SandboxError('failed', `${what}: ${(cause as Error).message}`, { cause })
  }

  return {
    isolation: options.isolation,
    programs: 'image',
    workDir,
    relayUrl,
    lost: lost.signal,
    lose: line.lose,
    overrun(limit) {
      passed = limit
      release(`it used more ${limit} than it may`)
    },
    async start({ argv, env, stdin, network }) {
      if (closed) throw new SandboxError('failed', `Sandbox ${spec.id} is cleaned up`)
      const id = `p${++starts}`
      const request: ProgramRequest = {
        argv,
        env: {
          ...environment({ ...options, path: options.path ?? '' }),
          ...spec.env,
          [SANDBOX_MARK]: spec.id,
          ...(network && relayUrl ? proxyEnvironment(relayUrl) : {}),
          ...env,
        },
        stdin: stdin === 'pipe',
        limits: spec.limits,
      }
      const answer = await line.askPromptly('PUT', paths.program(id), Buffer.from(JSON.stringify(request)))
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
    async sendTree(directory, { bytes, entries }, into = workDir) {
      const query = new URLSearchParams({ bytes: String(bytes), entries: String(entries), into })
      const stream = await line.open('PUT', `${paths.tree}?${query}`, { endStream: false })
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
    cleanup: doneOnce(end),
  }
}
