import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import type { Clock } from '#server/lib/clock.ts'
import { pause } from '#server/lib/pause.ts'
import type { ContainerConfig, UsedImage } from '#shared/model/index.ts'
import { diskUsage, watchDisk } from '../disk.ts'
import { RELAY_PORT, type Sandbox, SandboxError, type SandboxSpec } from '../index.ts'
import type { Door, RunnerToken, Visitor } from '../runner/index.ts'
import { createContainer, type Engine, EngineError, Nothing, removeContainer, waitFor } from './engine.ts'
import type { Suitability } from './examine.ts'
import { hostProcess } from './host-process.ts'
import { haveImage, type Image, usedImage } from './image.ts'
import { containerBody, INSIDE, labelsOf, type User } from './place.ts'
import { type FoundEngine, isolationOf, runtimeFor } from './probe.ts'
import type { PulledImages } from './pulled-images.ts'
import { makeScratch } from './scratch.ts'
import { podmansProfile } from './seccomp.ts'

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
  readonly user: User
  readonly door: Door
  readonly images: PulledImages
  readonly hostNode: string
  readonly examine: (engine: Engine, image: Image) => Promise<Suitability>
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
  const { signal, found, user, clock, settings, nodeId, graceMs, hostNode } = making
  const { engine } = found
  refuse(making.spec)
  const runtime = runtimeFor(making.spec.level, settings, found)
  const isolation = isolationOf(settings, runtime ?? found.defaultRuntime)
  const { note } = making.spec
  const name = making.spec.image ?? settings.image
  making.images.hold(name)
  undo.push(() => making.images.release(name))
  const image = await haveImage(engine, name, settings.pull, { note, signal })
  await making.images.used(image)
  const { node } = await making.examine(engine, image)
  const scratch = await makeScratch(making.spec, user)
  undo.push(scratch.remove, scratch.takeBack)
  const spec = { ...making.spec, workTree: realpathSync(making.spec.workTree) }
  const directories = [spec.workTree, scratch.home, scratch.spool]
  const stops: (() => void)[] = []
  const stop = () => {
    for (const step of stops.splice(0)) step()
  }
  undo.push(stop)
  let container: string | null = null
  const visitor = making.door.expect({
    ...{ spec, isolation, graceMs, clock, relayPort: RELAY_PORT, lostAfterMs: LOST_AFTER_MS },
    ...{ workDir: INSIDE.work, home: INSIDE.home, tmp: INSIDE.tmp, path: null },
    identify: hostProcess,
    async remove() {
      stop()
      if (container !== null) await removeContainer(engine, container)
      await scratch.takeBack()
    },
  })
  undo.push(() => visitor.sandbox.lose('it was not made'))
  stops.push(await scratch.giveSocket('home', making.door.listenAt))
  await scratch.give('token', JSON.stringify(tokenOf(spec, visitor.secret)))
  const profile = found.isPodman ? podmansProfile() : null
  const seccomp = profile === null ? null : await scratch.keep('seccomp.json', profile)
  const body = containerBody({
    ...{ image, node, user, runtime, seccomp, rootless: found.rootless, limits: spec.limits },
    parts: { ...scratch, workTree: spec.workTree, runnerFile: making.runnerFile, hostNode, readOnly: spec.readOnly },
    labels: labelsOf(nodeId, spec, image, isolation),
  })
  note?.(`Starting a container of ${image.name}${image.digest === null ? ', made here' : ` (${image.digest})`}`)
  // Not with the signal: what was asked for would be made all the same, and nobody would know its name.
  signal?.throwIfAborted()
  container = await createContainer(engine, nameOf(nodeId, spec), body)
  const created = container
  undo.push(() => removeContainer(engine, created))
  await requireRuntime(found, created, runtime)
  await engine.ask(Nothing, 'POST', `/containers/${created}/start`)
  void watch(engine, created, visitor, clock)
  await arrival(visitor, clock, signal)
  const exceeded = () => void visitor.sandbox.exceeded('disk')
  stops.push(watchDisk({ clock, directories, limitBytes: spec.limits.diskBytes, exceeded }))
  return withScratch(visitor, usedImage(image), directories, async () => {
    await scratch.remove()
    making.images.release(name)
    making.gone()
  })
}

/** What a container cannot give. */
function refuse({ isolation, gpus = 0, readOnly }: SandboxSpec): void {
  if (isolation === 'none') throw new SandboxError('unavailable', 'A container is a sandbox; a job without one runs as a process')
  if (gpus > 0) throw new SandboxError('unavailable', 'Containers get no GPUs here')
  const taken = readOnly.find(path => `${path}/`.startsWith(`${INSIDE.all}/`))
  if (taken !== undefined)
    throw new SandboxError('failed', `${taken} cannot be shown in a container: ${INSIDE.all} is its own there`)
}

const nameOf = (nodeId: string, { id }: SandboxSpec): string => `skein-${nodeId.replace(/[^A-Za-z0-9]/g, '').slice(0, 16)}-${id}`

const tokenOf = (spec: SandboxSpec, secret: string): RunnerToken => ({
  id: spec.id,
  secret,
  homes: [{ socket: join(INSIDE.run, 'home') }],
  workDir: INSIDE.work,
  // Counted from outside, where nobody hides anything.
  disk: [],
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

async function arrival({ sandbox, arrived }: Visitor, clock: Clock, signal: AbortSignal | undefined): Promise<void> {
  const cancel = clock.after(ARRIVE_MS, () => sandbox.lose('its runner did not come'))
  const stopped = () => sandbox.lose('it is not wanted any more')
  signal?.addEventListener('abort', stopped, { once: true })
  try {
    if (signal?.aborted) stopped()
    await arrived()
  } finally {
    cancel()
    signal?.removeEventListener('abort', stopped)
  }
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
function withScratch(
  { sandbox }: Visitor,
  image: UsedImage,
  directories: readonly string[],
  remove: () => Promise<void>,
): Sandbox {
  let cleaning: Promise<void> | null = null
  return {
    ...sandbox,
    image,
    stats: async () => ({ ...(await sandbox.stats()), diskBytes: (await diskUsage(directories)).bytes }),
    cleanup() {
      cleaning ??= sandbox
        .end()
        .then(remove)
        .catch(cause => {
          cleaning = null
          throw cause
        })
      return cleaning
    },
  }
}
