import * as z from 'zod'
import type { Clock } from '#server/lib/clock.ts'
import { doneOnce } from '#server/lib/done-once.ts'
import { pause } from '#server/lib/pause.ts'
import type { ContainerConfig, UsedImage } from '#shared/model/index.ts'
import { RELAY_PORT, type Sandbox, SandboxError, type SandboxSpec } from '../index.ts'
import { arrival, type Door, type HomeAddress, type RunnerToken, type Visitor } from '../runner/index.ts'
import { createContainer, type Engine, EngineError, Nothing, removeContainer, waitFor } from './engine.ts'
import type { Suitability } from './examine.ts'
import { haveImage, type Image, usedImage } from './image.ts'
import { mountedWay } from './mounted-way.ts'
import type { AgentNetwork } from './network.ts'
import { containerBody, INSIDE, labelsOf } from './place.ts'
import { type FoundEngine, isolationOf, runtimeFor } from './probe.ts'
import type { PulledImages } from './pulled-images.ts'
import { sentWay } from './sent-way.ts'
import type { Way } from './way.ts'

/** From the start of a container until its runner has come. */
const ARRIVE_MS = 60_000
/** How long a runner may be unheard of while its container runs. */
const LOST_AFTER_MS = 120_000
const AWAY_MS = 600_000
const SPOOL_BYTES = 64 * 2 ** 20
const WAIT_AGAIN_MS = 1000

interface Making {
  readonly spec: SandboxSpec
  readonly signal: AbortSignal | undefined
  readonly found: FoundEngine
  readonly door: Door
  readonly images: PulledImages
  readonly hostNode: string
  readonly examine: (engine: Engine, image: Image, hostNode: string | null) => Promise<Suitability>
  /** Where runners on a network find this node, which listens for them from then on. @throws {SandboxError} */
  readonly homes: (network: AgentNetwork) => Promise<readonly HomeAddress[]>
  /** Told once it is cleaned up. */
  readonly gone: () => void
  readonly nodeId: string
  readonly runnerFile: string
  readonly graceMs: number
  readonly clock: Clock
  readonly settings: ContainerConfig
  readonly log: { warn(fields: object, message: string): void }
}

/** Makes the container of a sandbox, and waits for the runner in it. @throws {SandboxError} and leaves nothing behind then */
export async function makeSandbox(making: Making): Promise<Sandbox> {
  const undo: (() => unknown)[] = []
  try {
    return await make(making, undo)
  } catch (cause) {
    for (const step of undo.reverse()) {
      try {
        await step()
      } catch (error) {
        making.log.warn({ err: error, sandbox: making.spec.id }, 'What was begun of a sandbox could not be removed')
      }
    }
    throw cause
  }
}

async function make(making: Making, undo: (() => unknown)[]): Promise<Sandbox> {
  const { signal, found, clock, settings, nodeId, graceMs, spec } = making
  const { engine } = found
  refuse(spec)
  const runtime = runtimeFor(spec.level, settings, found)
  const isolation = isolationOf(settings, runtime ?? found.defaultRuntime)
  const { note } = spec
  const name = spec.image ?? settings.image
  making.images.hold(name)
  undo.push(() => making.images.release(name))
  const image = await haveImage(engine, name, settings.pull, { note, signal })
  await making.images.used(image)
  const { node } = await making.examine(engine, image, found.network === null ? making.hostNode : null)
  const way = await openWay(making, node)
  undo.push(way.remove, way.takeBack, way.stop)
  let container: string | null = null
  const visitor: Visitor = making.door.expect({
    ...{ spec, isolation, graceMs, clock, relayPort: RELAY_PORT, lostAfterMs: LOST_AFTER_MS },
    ...{ workDir: INSIDE.work, home: INSIDE.home, tmp: INSIDE.tmp, path: null },
    ...(way.identify ? { identify: way.identify } : {}),
    ...(way.collect ? { collect: async () => way.collect?.(visitor.sandbox) } : {}),
    async remove() {
      way.stop()
      if (container !== null) await removeContainer(engine, container)
      await way.takeBack()
    },
  })
  undo.push(() => visitor.sandbox.lose('it was not made'))
  const labels = labelsOf(nodeId, spec, image, isolation)
  const body = containerBody({ image, node, user: way.user, runtime, labels, limits: spec.limits, opening: way.opening })
  note?.(`Starting a container of ${image.name}${image.digest === null ? ', made here' : ` (${image.digest})`}`)
  // Not with the signal: what was asked for would be made all the same, and nobody would know its name.
  signal?.throwIfAborted()
  container = await createContainer(engine, nameOf(nodeId, spec), body)
  const created = container
  undo.push(() => removeContainer(engine, created))
  await requireRuntime(found, created, runtime)
  await way.fill(created, JSON.stringify(tokenOf(spec, visitor.secret, way)))
  await engine.ask(Nothing, 'POST', `/containers/${created}/start`)
  void watch(engine, created, visitor, clock)
  await arrival(visitor, { withinMs: ARRIVE_MS, late: () => noArrival(spec, way), clock, signal })
  await way.settle(visitor.sandbox)
  signal?.throwIfAborted()
  return withWay(visitor, usedImage(image), way, async () => {
    await way.remove()
    making.images.release(name)
    making.gone()
  })
}

async function openWay({ spec, found, door, clock, homes, hostNode, runnerFile }: Making, node: string): Promise<Way> {
  const { network, engine } = found
  if (network === null) return mountedWay({ spec, node, hostNode, runnerFile, found, door, clock })
  return sentWay({ spec, runnerFile, engine, network: network.name, homes: await homes(network), clock })
}

/** Its container runs, and its runner found no way to this node: where it looks for one on a network, that wants setting. */
function noArrival({ id }: SandboxSpec, { homes }: Way): SandboxError {
  const tried = homes.flatMap(home => ('host' in home ? [`${home.host}:${home.port}`] : []))
  if (tried.length === 0) return new SandboxError('lost', `Sandbox ${id} is lost: its runner did not come`)
  const why = `Its container runs, but found no way to this node in ${ARRIVE_MS / 1000} s; it tried ${tried.join(', ')}`
  return new SandboxError('unavailable', why, {
    remedy:
      'Set executors.container.home to where containers of that network reach this node, and let them through its firewall.',
  })
}

/** What a container cannot give. */
function refuse({ isolation, gpus = 0 }: SandboxSpec): void {
  if (isolation === 'none') throw new SandboxError('unavailable', 'A container is a sandbox; a job without one runs as a process')
  if (gpus > 0) throw new SandboxError('unavailable', 'Containers get no GPUs here')
}

const nameOf = (nodeId: string, { id }: SandboxSpec): string => `skein-${nodeId.replace(/[^A-Za-z0-9]/g, '').slice(0, 16)}-${id}`

const tokenOf = (spec: SandboxSpec, secret: string, { homes, disk }: Way): RunnerToken => ({
  ...{ id: spec.id, secret, homes, disk },
  workDir: INSIDE.work,
  spool: INSIDE.spool,
  spoolBytes: SPOOL_BYTES,
  awayMs: AWAY_MS,
  relayPort: spec.gatewaySocket === null ? null : RELAY_PORT,
  alone: true,
})

const Made = z.object({ HostConfig: z.object({ Runtime: z.string().nullish() }), OCIRuntime: z.string().nullish() })

/** An engine may not know what it was asked for, and make something weaker without a word. */
async function requireRuntime({ engine, title, isPodman }: FoundEngine, id: string, runtime: string | null): Promise<void> {
  if (runtime === null) return
  const made = await engine.ask(Made, 'GET', `${isPodman ? '/libpod' : ''}/containers/${id}/json`)
  const got = (isPodman ? made.OCIRuntime : made.HostConfig.Runtime) ?? 'its own'
  if (got === runtime) return
  throw new SandboxError('unavailable', `${title} made a container with runtime ${got} where ${runtime} was asked for`, {
    remedy: 'Make it the default runtime of the engine, and set executors.container.runtime to its name.',
  })
}

/** Tells when a container ended or was removed by no doing of ours. The engine may be away meanwhile: containers go on without it. */
async function watch(engine: Engine, id: string, { sandbox }: Visitor, clock: Clock): Promise<void> {
  while (!sandbox.lost.aborted) {
    try {
      const code = await waitFor(engine, id, { timeoutMs: 0, signal: sandbox.lost })
      if (await ranOutOfMemory(engine, id)) return sandbox.overrun('memory')
      return sandbox.lose(`its container ended with code ${code}`)
    } catch (error) {
      if (error instanceof EngineError && error.status === 404) return sandbox.lose('its container was removed')
      await pause(WAIT_AGAIN_MS, clock, sandbox.lost)
    }
  }
}

const Ended = z.object({ State: z.object({ OOMKilled: z.boolean().nullish() }) })

/** The kernel may have chosen the runner. Not every engine is told so: then the attempt counts as lost. */
async function ranOutOfMemory(engine: Engine, id: string): Promise<boolean> {
  return (await engine.ask(Ended, 'GET', `/containers/${id}/json`)).State.OOMKilled === true
}

/** The runner's sandbox, with what of it is on this machine. */
function withWay({ sandbox }: Visitor, image: UsedImage, { countDisk }: Way, remove: () => Promise<void>): Sandbox {
  return {
    ...sandbox,
    image,
    stats: async () => ({ ...(await sandbox.stats()), ...(countDisk ? { diskBytes: await countDisk() } : {}) }),
    cleanup: doneOnce(async () => {
      await sandbox.end()
      await remove()
    }),
  }
}
