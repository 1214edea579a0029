import { realpathSync } from 'node:fs'
import { availableParallelism, freemem } from 'node:os'
import { join } from 'node:path'
import { doneOnce } from '#server/lib/done-once.ts'
import { messageOf } from '#server/lib/message-of.ts'
import { soonOr } from '#server/lib/within.ts'
import { type Executor, type Sandbox, SandboxError } from '../index.ts'
import { createDoor, createReception, ownAddresses } from '../runner/index.ts'
import type { ContainerExecutorDeps } from './deps.ts'
import { type Engine, removeContainer } from './engine.ts'
import { examineImage, type Suitability } from './examine.ts'
import { type Image, listImages } from './image.ts'
import { type AgentNetwork, homesOn } from './network.ts'
import { LABELS } from './place.ts'
import { createProbing } from './probe.ts'
import { createPulledImages } from './pulled-images.ts'
import { makeSandbox } from './sandbox.ts'
import { describeContainer, type Listed, listContainers, sandboxOf } from './workload.ts'

/** A sandbox id becomes a container's name and a label. */
const SANDBOX_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/
/** More than a node has slots. */
const PLACES = 10_000
/** How long a list of workloads waits for one of them to tell what it uses. */
const STATS_MS = 1000

/** What an executor does with its engine. */
export interface Containers extends Pick<Executor, 'probe' | 'capacity' | 'prepare' | 'workloads'> {
  /** Removes what an earlier run of this node left. @returns how many containers that were */
  reap(): Promise<number>
  close(): void
}

export function openContainers(deps: ContainerExecutorDeps): Containers {
  const { nodeId, clock, settings, log } = deps
  const door = createDoor({ clock })
  const probing = createProbing(deps)
  const file = join(deps.directory, 'pulled-images.json')
  const images = createPulledImages({ file, mostBytes: settings.imageBytes, now: clock.now })
  /** Begun and not cleaned up; null while it is made. */
  const living = new Map<string, Sandbox | null>()
  const examined = new Map<string, Promise<Suitability>>()
  const reception = createReception(door, settings.home, 'executors.container.home')
  const homes = async (network: AgentNetwork) => reception.homesAt(homesOn(network, settings.home, ownAddresses()))
  const hostNode = () => realpathSync(settings.node ?? process.execPath)

  const examine = (engine: Engine, image: Image, node: string | null) => {
    const known = examined.get(image.id) ?? examineImage(engine, image, node, { [LABELS.node]: nodeId })
    examined.set(image.id, known)
    known.catch(() => examined.delete(image.id))
    return known
  }

  const sweep = async (engine: Engine): Promise<number> => {
    const left = (await listContainers(engine, nodeId)).filter(container => !living.has(sandboxOf(container) ?? ''))
    for (const { Id } of left) await removeContainer(engine, Id)
    if (left.length > 0) log.warn({ containers: left.length }, 'Removed what an earlier run of this node left behind')
    return left.length
  }

  /** Where the engine was away when the node started, what an earlier run left is still there. */
  const sweepOnce = doneOnce(sweep)

  const describe = async (container: Listed) => {
    const sandbox = living.get(sandboxOf(container) ?? '')
    const stats = sandbox ? await soonOr(clock, STATS_MS, sandbox.stats(), null).catch(() => null) : null
    return describeContainer(container, stats)
  }

  return {
    probe: probing.probe,
    async prepare(spec, signal) {
      if (!SANDBOX_ID.test(spec.id)) throw new SandboxError('failed', `Not a sandbox id: ${JSON.stringify(spec.id)}`)
      const gone = () => void living.delete(spec.id)
      try {
        const found = await probing.engine()
        await sweepOnce(found.engine)
        living.set(spec.id, null)
        const sandbox = await makeSandbox({
          spec,
          signal,
          found,
          door,
          images,
          hostNode: hostNode(),
          homes,
          examine,
          gone,
          ...deps,
        })
        living.set(spec.id, sandbox)
        // Nobody has to wait for it.
        images.tidy(found.engine).catch(error => log.warn({ err: error }, 'Images that are not needed could not be removed'))
        return sandbox
      } catch (cause) {
        gone()
        signal?.throwIfAborted()
        if (cause instanceof SandboxError) throw cause
        throw new SandboxError('failed', `Failed to prepare sandbox ${spec.id}: ${messageOf(cause)}`, { cause })
      }
    },
    capacity: async () => {
      const images = await listImages((await probing.engine()).engine)
      // An engine sets nothing aside: how much runs at once is for the node to say.
      return { cpuCores: availableParallelism(), memoryBytes: freemem(), gpuCount: 0, places: PLACES, images, full: null }
    },
    async workloads() {
      const found = await probing.engine().catch(() => null)
      if (!found) return []
      const listed = await listContainers(found.engine, nodeId).catch(cause => {
        throw new SandboxError('failed', `The containers could not be listed: ${messageOf(cause)}`, { cause })
      })
      return Promise.all(listed.filter(container => sandboxOf(container) !== undefined).map(describe))
    },
    async reap() {
      const found = await probing.engine().catch(() => null)
      if (!found) return 0
      return sweep(found.engine).catch(error => {
        log.warn({ err: error }, 'What an earlier run of this node left could not be removed; the next sandbox waits for that')
        return 0
      })
    },
    close: reception.close,
  }
}
