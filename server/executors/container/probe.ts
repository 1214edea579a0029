import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { isAbsolute } from 'node:path'
import * as z from 'zod'
import type { Clock } from '#server/lib/clock.ts'
import { messageOf } from '#server/lib/message-of.ts'
import { atMost } from '#server/lib/within.ts'
import type { ContainerConfig, IsolationLevel } from '#shared/model/index.ts'
import { type ExecutorProbe, SandboxError } from '../index.ts'
import { createEngine, type Engine } from './engine.ts'
import { findEngine } from './find-engine.ts'
import { type AgentNetwork, findNetwork } from './network.ts'

/** An engine that answers, and what it can do. */
export interface FoundEngine {
  readonly engine: Engine
  readonly title: string
  readonly version: string
  /** It runs without root: numbers of users inside are others outside, unless told to be the same. */
  readonly rootless: boolean
  /** Podman says what it made by an API of its own. */
  readonly isPodman: boolean
  /** Those that it can be asked for. */
  readonly runtimes: readonly string[]
  readonly defaultRuntime: string | null
  /** The one that makes virtual machines; null: none does. */
  readonly vmRuntime: string | null
  /** Where containers are that are sent what they need; null: this engine mounts what it sees of this machine. */
  readonly network: AgentNetwork | null
}

export interface Probing {
  /** @throws {SandboxError} of code `unavailable` */
  engine(): Promise<FoundEngine>
  probe(): Promise<ExecutorProbe>
}

const ANSWER_MS = 10_000
const INFO_MS = 30_000
/** An answer is asked for anew after so long. Until there is another it counts: a node is asked for each job and each card. */
const FRESH_MS = 10_000
/** A no is old news where somebody has just started an engine; one that hangs must not hold everybody up. */
const PATIENCE_MS = 1000
const VM_RUNTIMES = ['krun', 'kata', 'kata-runtime', 'io.containerd.kata.v2']
const NO_ENGINE = 'Start Docker or `podman system service`, or set executors.container.socket.'

const Version = z.object({ Version: z.string(), Components: z.array(z.object({ Name: z.string() })).nullish() })
const Info = z.object({
  Name: z.string().nullish(),
  Runtimes: z.record(z.string(), z.object({ path: z.string().nullish() }).nullish()).nullish(),
  DefaultRuntime: z.string().nullish(),
  SecurityOptions: z.array(z.string()).nullish(),
  OSType: z.string().nullish(),
})

export function createProbing(deps: {
  settings: ContainerConfig
  env: Readonly<Record<string, string | undefined>>
  clock: Clock
}): Probing {
  const { settings, env, clock } = deps
  let known: { at: number; found: Promise<FoundEngine>; isThere: boolean } | null = null
  let asking: Promise<FoundEngine> | null = null

  /** What an engine is does not change while it runs; Podman counts its containers to tell, and waits for each that is busy. */
  const told = new Map<string, z.infer<typeof Info>>()
  const infoOf = async (engine: Engine, version: string) => {
    const key = `${engine.at} ${version}`
    const info = told.get(key) ?? (await engine.ask(Info, 'GET', '/info', { timeoutMs: INFO_MS }))
    told.set(key, info)
    return info
  }

  const look = async (): Promise<FoundEngine> => {
    if (settings.socket === 'off')
      throw unavailable('Containers are turned off by executors.container.socket', 'Remove that setting.')
    if (process.platform !== 'linux')
      throw unavailable('Containers are used on Linux only: the engine of this system runs in a machine of its own', NO_LINUX)
    const found = findEngine({ env, socket: settings.socket })
    if (found === null) throw unavailable('No container engine was found on this machine', NO_ENGINE)
    if ('problem' in found) throw unavailable(found.problem, found.remedy)
    const engine = createEngine('socket' in found ? found.socket : found)
    const ask = async () => {
      const { Version: version, Components } = await engine.ask(Version, 'GET', '/version', { timeoutMs: ANSWER_MS })
      return { version, Components, info: await infoOf(engine, version) }
    }
    const { version, Components, info } = await ask().catch(cause => {
      throw unavailable(
        `The container engine at ${engine.at} cannot be used: ${messageOf(cause)}`,
        'See that it runs, and that this user may reach it.',
        cause,
      )
    })
    if (info.OSType !== 'linux') throw unavailable(`The engine at ${engine.at} runs containers of ${info.OSType} only`, NO_ENGINE)
    const isSent = seesNothing(settings, 'socket' in found, info.Name ?? null)
    const defaultRuntime = info.DefaultRuntime ?? null
    const isPodman = Components?.some(({ Name }) => /podman/i.test(Name)) ?? false
    const network = isSent ? await findNetwork(engine, settings.network, isPodman) : null
    const runtimes = Object.entries(info.Runtimes ?? {})
      // Podman names all it has heard of, with the place where each would be.
      .filter(([, runtime]) => isSent || !runtime?.path || !isAbsolute(runtime.path) || existsSync(runtime.path))
      .map(([name]) => name)
      // And runs each container with its default, whatever it was asked for over its API.
      .filter(name => !isPodman || name === defaultRuntime)
    return {
      engine,
      title: isPodman ? 'Podman' : 'Docker',
      version,
      isPodman,
      rootless: info.SecurityOptions?.some(option => option.includes('rootless')) ?? false,
      runtimes,
      defaultRuntime,
      vmRuntime: settings.vmRuntime ?? VM_RUNTIMES.find(name => runtimes.includes(name)) ?? null,
      network,
    }
  }

  const ask = (): Promise<FoundEngine> => {
    if (asking) return asking
    const found = look()
    const know = (isThere: boolean) => {
      known = { at: clock.monotonic(), found, isThere }
      asking = null
    }
    asking = found
    found.then(
      () => know(true),
      () => know(false),
    )
    return found
  }

  const engine = async () => {
    if (known && clock.monotonic() - known.at <= FRESH_MS) return known.found
    const fresh = ask()
    if (!known) return fresh
    if (!known.isThere)
      await atMost(
        clock,
        PATIENCE_MS,
        fresh.catch(() => {}),
      )
    return known.found
  }

  return {
    engine,
    async probe() {
      try {
        const { title, version, engine: of, vmRuntime, runtimes, defaultRuntime, network } = await engine()
        const isolation = isolationOf(settings, settings.runtime ?? defaultRuntime)
        const canVm = isolation === 'vm' || (vmRuntime !== null && runtimes.includes(vmRuntime))
        const levels: IsolationLevel[] = [...new Set([isolation, canVm ? ('vm' as const) : isolation])]
        const sent = network === null ? '' : `, which is sent what jobs need (network ${network.name})`
        const detail = `${title} ${version} at ${of.at}${canVm ? ', with virtual machines' : ''}${sent}`
        return { available: true, isolation, levels, version, detail, remedy: null }
      } catch (error) {
        const remedy = error instanceof SandboxError ? (error.remedy ?? null) : null
        return { available: false, isolation: 'container', version: null, detail: messageOf(error), remedy }
      }
    },
  }
}

const MARKS_OF_CONTAINERS = ['/.dockerenv', '/run/.containerenv']

/** Whether the directories of this server are none of the engine's: it is reached by a network, or is outside of the container that this is. */
function seesNothing({ tree }: ContainerConfig, hasSocket: boolean, engineHost: string | null): boolean {
  if (tree !== 'auto') return tree === 'send'
  return !hasSocket || (MARKS_OF_CONTAINERS.some(mark => existsSync(mark)) && engineHost !== hostname())
}

const AS_DEFAULT =
  'Start Podman with it (`podman --runtime krun system service`), and set executors.container.socket to where that listens.'
const listOf = (runtimes: readonly string[]): string => runtimes.join(', ') || 'its own'

const NO_LINUX = 'Run a node inside that machine, such as `colima ssh`.'

const unavailable = (detail: string, remedy: string, cause?: unknown): SandboxError =>
  new SandboxError('unavailable', detail, { remedy, cause })

/** What a runtime keeps in. */
export const isolationOf = (settings: ContainerConfig, runtime: string | null): IsolationLevel =>
  runtime !== null && [settings.vmRuntime, ...VM_RUNTIMES].includes(runtime) ? 'vm' : 'container'

/** The runtime that gives so much isolation; null: the engine's own does. @throws {SandboxError} */
export function runtimeFor(level: IsolationLevel | undefined, settings: ContainerConfig, found: FoundEngine): string | null {
  const usual = settings.runtime ?? null
  if (usual !== null && !found.runtimes.includes(usual))
    throw unavailable(`${found.title} cannot be asked for the runtime ${usual}, only for ${listOf(found.runtimes)}`, AS_DEFAULT)
  if (level !== 'vm' || isolationOf(settings, usual ?? found.defaultRuntime) === 'vm') return usual
  if (found.vmRuntime !== null && found.runtimes.includes(found.vmRuntime)) return found.vmRuntime
  throw unavailable(
    `${found.title} has no runtime that makes virtual machines, only ${listOf(found.runtimes)}`,
    found.isPodman ? AS_DEFAULT : 'Install krun or Kata Containers and make it known to the engine.',
  )
}
