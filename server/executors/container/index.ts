import { realpathSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import type { Clock } from '#server/lib/clock.ts'
import { kill } from '#server/lib/process-identity.ts'
import type { IsolationLevel, Workload } from '#shared/model/index.ts'
import { diskUsage, watchDisk } from '../disk.ts'
import { type Executor, type ExecutorProbe, RELAY_PORT, type Sandbox, SandboxError, type SandboxSpec } from '../index.ts'
import { createDoor, type RunnerToken, type Visitor } from '../runner/index.ts'
import { createEngine, type Engine, EngineError, labelled, Nothing } from './engine.ts'
import { findEngineSocket } from './find-engine.ts'
import { hostProcess } from './host-process.ts'
import { examineImage, haveImage, type PullPolicy, requireImageName, type Suitability } from './image.ts'
import { containerBody, INSIDE, LABELS, labelsOf } from './place.ts'
import { giveFile, insideUser, makeScratch } from './scratch.ts'

export interface ContainerExecutorDeps {
  /** Marks this node's containers. */
  readonly nodeId: string
  /** Absolute path of the bundled runner, dist/inside/runner.mjs. */
  readonly runnerFile: string
  readonly graceMs: number
  readonly clock: Clock
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: { warn(fields: object, message: string): void }
  readonly settings: {
    readonly socket?: string | undefined
    readonly image?: string | undefined
    readonly pull: PullPolicy
    readonly node?: string | undefined
  }
}

const SANDBOX_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/
/** From the start of a container until its runner has come. */
const ARRIVE_MS = 60_000
/** How long a runner may be unheard of while its container runs. */
const LOST_AFTER_MS = 120_000
const AWAY_MS = 600_000
const SPOOL_BYTES = 64 * 2 ** 20
const WAIT_AGAIN_MS = 1000
const VM_RUNTIMES = ['krun', 'kata', 'kata-runtime', 'io.containerd.kata.v2']

const Version = z.object({ Version: z.string(), Components: z.array(z.object({ Name: z.string() })).nullish() })
const Info = z.object({ Runtimes: z.record(z.string(), z.unknown()).nullish(), SecurityOptions: z.array(z.string()).nullish() })
const Created = z.object({ Id: z.string() })
const Waited = z.object({ StatusCode: z.int() })
const Listed = z.array(
  z.object({ Id: z.string(), State: z.string(), Created: z.number(), Labels: z.record(z.string(), z.string()).nullish() }),
)

/** Sandboxes out of containers of an engine on this machine that serves the Docker Engine API. */
export function containerExecutor(deps: ContainerExecutorDeps): Executor {
  const { nodeId, clock, settings, log } = deps
  const user = insideUser()
  const door = createDoor({ clock })
  const living = new Map<string, { sandbox: Sandbox; memoryBytes: number }>()
  const examined = new Map<string, Promise<Suitability>>()
  const ours = `${LABELS.node}=${nodeId}`
  const hostNode = () => realpathSync(settings.node ?? process.execPath)

  const engine = (): Engine => {
    const socket = findEngineSocket({ env: deps.env, socket: settings.socket })
    if (socket === null) {
      throw new SandboxError('unavailable', 'No container engine was found on this machine', {
        remedy: 'Start Docker or `podman system service`, or set executors.container.socket.',
      })
    }
    return createEngine(socket)
  }

  const probe = async (): Promise<ExecutorProbe> => {
    try {
      const { socket, ask } = engine()
      const { Version: version, Components } = await ask(Version, 'GET', '/version', { timeoutMs: 5000 })
      const name = Components?.some(component => /podman/i.test(component.Name)) ? 'Podman' : 'Docker'
      const detail = `${name} ${version} at ${socket}`
      return { available: true, isolation: 'container', version, detail, remedy: null }
    } catch (error) {
      const { message, remedy = 'See that the engine runs and that its socket may be used.' } = error as SandboxError
      return { available: false, isolation: 'container', version: null, detail: message, remedy }
    }
  }

  /** The runtime that gives so much isolation; null: the engine's own does. */
  const runtimeFor = (level: IsolationLevel | undefined, runtimes: readonly string[]): string | null => {
    if (level !== 'vm') return null
    const found = VM_RUNTIMES.find(name => runtimes.includes(name))
    if (found) return found
    throw new SandboxError(
      'unavailable',
      `The container engine has no runtime that makes virtual machines, only ${runtimes.join(', ') || 'its own'}`,
      {
        remedy: 'Install krun or Kata Containers, and make it known to the engine.',
      },
    )
  }

  const examine = (at: Engine, image: Awaited<ReturnType<typeof haveImage>>) => {
    const known = examined.get(image.id) ?? examineImage(at, image, hostNode(), { [LABELS.node]: nodeId })
    examined.set(image.id, known)
    known.catch(() => examined.delete(image.id))
    return known
  }

  const remove = async (at: Engine, id: string) => {
    await at.ask(Nothing, 'DELETE', `/containers/${id}?force=true&v=true`).catch(error => {
      // Gone, or going.
      if (!(error instanceof EngineError && [404, 409].includes(error.status))) throw error
    })
  }

  /** Tells when a container ended or was removed by no doing of ours. The engine may be away meanwhile: containers go on without it. */
  const watch = async (at: Engine, id: string, { sandbox }: Visitor) => {
    while (!sandbox.lost.aborted) {
      try {
        const { StatusCode } = await at.ask(Waited, 'POST', `/containers/${id}/wait`, { timeoutMs: 0, signal: sandbox.lost })
        return sandbox.lose(`its container ended with code ${StatusCode}`)
      } catch (error) {
        if (error instanceof EngineError && error.status === 404) return sandbox.lose('its container was removed')
        await new Promise<void>(resolve => clock.after(WAIT_AGAIN_MS, resolve))
      }
    }
  }

  const make = async (given: SandboxSpec, undo: (() => Promise<unknown>)[], signal?: AbortSignal): Promise<Sandbox> => {
    const name = given.image ?? settings.image
    if (given.isolation === 'none')
      throw new SandboxError('unavailable', 'A container is a sandbox; a job without one runs as a process')
    if (name === undefined) {
      throw new SandboxError('image_unavailable', 'No image is named', {
        remedy: 'Name one in the job (--image), or set executors.container.image.',
      })
    }
    requireImageName(name)
    const at = engine()
    const info = await at.ask(Info, 'GET', '/info', { signal })
    const runtime = runtimeFor(given.level, Object.keys(info.Runtimes ?? {}))
    const image = await haveImage(at, name, settings.pull, { note: given.note, signal })
    const suitable = await examine(at, image)
    const scratch = await makeScratch(given, user)
    undo.unshift(scratch.remove)
    const spec = { ...given, workTree: realpathSync(given.workTree) }
    const directories = [spec.workTree, scratch.home, scratch.spool]
    const stops: (() => void)[] = []
    let container = ''
    const isolation: IsolationLevel = runtime ? 'vm' : 'container'
    const visitor = door.expect({
      spec,
      isolation,
      workDir: INSIDE.work,
      home: INSIDE.home,
      tmp: INSIDE.tmp,
      path: image.path,
      relayPort: RELAY_PORT,
      graceMs: deps.graceMs,
      clock,
      identify: hostProcess,
      lostAfterMs: LOST_AFTER_MS,
      async remove() {
        for (const stop of stops.splice(0)) stop()
        if (container !== '') await remove(at, container)
      },
    })
    undo.unshift(async () => visitor.sandbox.lose('it was not made'))
    undo.unshift(async () => {
      for (const stop of stops.splice(0)) stop()
    })
    const socket = join(scratch.run, 'home')
    stops.push(await door.listenAt(socket))
    const token: RunnerToken = {
      id: spec.id,
      secret: visitor.secret,
      homes: [{ socket: `${INSIDE.run}/home` }],
      workDir: INSIDE.work,
      disk: [],
      spool: INSIDE.spool,
      spoolBytes: SPOOL_BYTES,
      awayMs: AWAY_MS,
      relayPort: spec.gatewaySocket === null ? null : RELAY_PORT,
      alone: true,
    }
    await writeFile(join(scratch.run, 'token'), JSON.stringify(token), { mode: 0o400 })
    for (const file of [socket, join(scratch.run, 'token')]) await giveFile(file, user)
    const rootless = info.SecurityOptions?.some(option => option.includes('rootless')) ?? false
    const body = containerBody({
      image,
      suitable,
      parts: { ...scratch, workTree: spec.workTree, runnerFile: deps.runnerFile, hostNode: hostNode(), readOnly: spec.readOnly },
      user,
      keepId: rootless,
      limits: spec.limits,
      labels: labelsOf(nodeId, spec, image, isolation),
      runtime,
    })
    const title = `skein-${nodeId.replace(/[^A-Za-z0-9]/g, '').slice(0, 16)}-${spec.id}`
    container = (await at.ask(Created, 'POST', `/containers/create?name=${encodeURIComponent(title)}`, { body, signal })).Id
    undo.unshift(() => remove(at, container))
    await at.ask(Nothing, 'POST', `/containers/${container}/start`, { signal })
    void watch(at, container, visitor)
    stops.push(clock.after(ARRIVE_MS, () => visitor.sandbox.lose('its runner did not come')))
    await visitor.arrived()
    stops.pop()?.()
    const exceeded = () => void visitor.sandbox.exceeded('disk')
    stops.push(watchDisk({ clock, directories, limitBytes: spec.limits.diskBytes, exceeded }))
    return sandboxOf(spec.id, visitor, directories, scratch.remove)
  }

  const sandboxOf = (
    id: string,
    { sandbox }: Visitor,
    directories: readonly string[],
    removeScratch: () => Promise<void>,
  ): Sandbox => {
    let cleaning: Promise<void> | null = null
    return {
      ...sandbox,
      stats: async () => ({ ...(await sandbox.stats()), diskBytes: (await diskUsage(directories)).bytes }),
      cleanup() {
        cleaning ??= sandbox
          .end()
          .then(removeScratch)
          .then(() => void living.delete(id))
          .catch(cause => {
            cleaning = null
            throw cause
          })
        return cleaning
      },
    }
  }

  const describe = async ({ State, Created: created, Labels }: z.infer<typeof Listed>[number]): Promise<Workload> => {
    const label = (name: keyof typeof LABELS) => Labels?.[LABELS[name]] ?? null
    const epoch = label('epoch')
    const known = living.get(label('sandbox') ?? '')
    const stats = await known?.sandbox.stats().catch(() => null)
    return {
      id: `container:${label('sandbox')}`,
      executor: 'container',
      jobId: label('job'),
      epoch: epoch === null ? null : Number(epoch),
      purpose: label('purpose'),
      state: State === 'running' ? 'running' : State === 'created' ? 'pending' : 'ended',
      reason: null,
      isolation: label('isolation') === 'vm' ? 'vm' : 'container',
      image: label('image'),
      imageDigest: label('digest'),
      machine: null,
      startedAt: new Date(created * 1000).toISOString(),
      cpuMs: stats ? Math.round(stats.cpuMs) : null,
      memoryBytes: stats?.memoryBytes ?? null,
      memoryLimitBytes: known?.memoryBytes ?? null,
    }
  }

  const list = (at: Engine) => at.ask(Listed, 'GET', `/containers/json?all=true&${labelled([ours])}`)

  return {
    kind: 'container',
    probe,
    async prepare(spec, signal) {
      if (!SANDBOX_ID.test(spec.id)) throw new SandboxError('failed', `Not a sandbox id: ${JSON.stringify(spec.id)}`)
      const undo: (() => Promise<unknown>)[] = []
      try {
        const sandbox = await make(spec, undo, signal)
        living.set(spec.id, { sandbox, memoryBytes: spec.limits.memoryBytes })
        return sandbox
      } catch (cause) {
        for (const step of undo)
          await step().catch(error => log.warn({ error, sandbox: spec.id }, 'What was begun of a sandbox could not be removed'))
        if (cause instanceof SandboxError) throw cause
        throw new SandboxError('failed', `Failed to prepare sandbox ${spec.id}: ${(cause as Error).message}`, { cause })
      }
    },
    // It gives what the machine gives, which the node says for itself.
    capacity: async () => null,
    async workloads() {
      if (!(await probe()).available) return []
      const listed = await list(engine()).catch(cause => {
        throw new SandboxError('failed', `The containers could not be listed: ${(cause as Error).message}`, { cause })
      })
      return Promise.all(listed.filter(({ Labels }) => Labels?.[LABELS.sandbox]).map(describe))
    },
    async reap(recorded) {
      const killed = recorded.filter(identity => kill(identity, 'SIGKILL')).length
      if (!(await probe()).available) return killed
      const at = engine()
      const left = (await list(at)).filter(({ Labels }) => !living.has(Labels?.[LABELS.sandbox] ?? ''))
      for (const { Id } of left) await remove(at, Id)
      if (left.length > 0) log.warn({ containers: left.length }, 'Removed what an earlier run of this node left behind')
      return killed + left.length
    },
    close: async () => {},
  }
}
