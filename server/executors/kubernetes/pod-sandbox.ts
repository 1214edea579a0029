import { realpath, rm } from 'node:fs/promises'
import type { Clock } from '#server/lib/clock.ts'
import { soonOr } from '#server/lib/within.ts'
import type { IsolationLevel, KubernetesConfig, UsedImage, Workload } from '#shared/model/index.ts'
import { RELAY_PORT, type Sandbox, SandboxError, type SandboxSpec, type SandboxStats } from '../index.ts'
import {
  arrival,
  collectTree,
  type Door,
  type HomeAddress,
  type RemoteSandbox,
  type RunnerToken,
  runnerCommand,
  treeLimits,
  type Visitor,
} from '../runner/index.ts'
import { checkSpec, INSIDE } from './manifest.ts'
import type { PodPlace } from './pod-place.ts'
import type { Pods } from './pods.ts'
import { planShown, type Shown } from './shown.ts'
import type { Condition, Failure } from './status.ts'

/** A sandbox in a pod, from the moment it is asked for until nothing is left of it. */
export interface PodSandbox {
  /** @throws {SandboxError} and leaves nothing behind then */
  prepare(signal?: AbortSignal): Promise<Sandbox>
  describe(): Promise<Workload>
}

export interface PodSandboxDeps {
  readonly pods: Pods
  readonly door: Door
  readonly settings: KubernetesConfig
  readonly graceMs: number
  readonly clock: Clock
  /** Where runners find us, the likeliest first. @throws {SandboxError} */
  homes(): Promise<readonly HomeAddress[]>
  /** Told when there is nothing left of it. */
  gone(): void
}

/** A runner without a connection is given up after this. */
const LOST_AFTER_MS = 60_000
/** One that finds no home ends itself: later, so that nothing ends that its home still waits for. */
const AWAY_MS = 120_000
/** From the start of its container until the runner has come; it tries one address after another. */
const ARRIVAL_MS = 90_000
const STATS_MS = 2_000
const SPOOL_BYTES = 16 * 2 ** 20

export function podSandbox(spec: SandboxSpec, deps: PodSandboxDeps): PodSandbox {
  const { pods, settings, clock, gone } = deps
  const { isolation } = checkSpec(spec, settings)
  let condition: (() => Condition) | null = null
  let living: Sandbox | null = null

  const make = async (visitor: Visitor, shown: Shown, homes: readonly HomeAddress[], signal: AbortSignal | undefined) =>
    pods.make(spec, {
      command: runnerCommand('node', INSIDE.runner, `${INSIDE.secret}/${INSIDE.token}`),
      secret: { [INSIDE.token]: JSON.stringify(tokenOf(spec, visitor.secret, homes, shown.directories)) },
      shown,
      watched: ask => (condition = ask),
      begun: visitor.arrived(),
      signal,
    })

  return {
    async prepare(signal) {
      let place: PodPlace | null = null
      const visitor = expectRunner(spec, isolation, async () => place?.remove(), deps)
      try {
        await realpath(spec.workTree)
        const [homes, shown] = await Promise.all([deps.homes(), planShown(spec.readOnly)])
        const made = await make(visitor, shown, homes, signal)
        place = made
        const lose = () => loseTo(visitor.sandbox, made)
        made.lost.addEventListener('abort', lose)
        if (made.lost.aborted) lose()
        await arrival(visitor, { withinMs: ARRIVAL_MS, late: noWay(homes), clock, signal })
        await visitor.sandbox.sendTree(spec.workTree, treeLimits(spec))
        for (const directory of shown.directories) await visitor.sandbox.sendTree(directory, treeLimits(spec), directory)
        signal?.throwIfAborted()
        // By the name that was asked for: a node may tell of another that it has the same image by.
        const image = { name: spec.image ?? settings.image, digest: made.condition().imageDigest }
        living = withCleanup(visitor, image, spec, gone)
        return living
      } catch (cause) {
        const failure = place?.condition().failure
        visitor.dismiss()
        visitor.sandbox.lose('it could not be prepared')
        // A removal that takes too long goes on by itself, and is told of there.
        await place?.remove().catch(() => {})
        gone()
        if (signal?.aborted) throw signal.reason
        // A container may start and its runner not: what ended it says more than that it is gone.
        if (failure?.isFinal)
          throw new SandboxError(failure.code, `Sandbox ${spec.id}: ${failure.text}`, { cause, ...remedyOf(failure) })
        if (cause instanceof SandboxError) throw cause
        throw new SandboxError('failed', `Failed to prepare sandbox ${spec.id}: ${(cause as Error).message}`, { cause })
      }
    },
    async describe() {
      const stats = living && (await soonOr(clock, STATS_MS, living.stats(), null).catch(() => null))
      const seen = condition?.() ?? null
      // The runner has come home; its node may not have told the cluster yet.
      const isAhead = living !== null && seen?.state === 'pending'
      return workloadOf(spec, isolation, settings, isAhead ? { ...seen, state: 'running', reason: null } : seen, stats)
    },
  }
}

const remedyOf = ({ remedy }: Failure) => (remedy === undefined ? {} : { remedy })
const relayPortOf = (spec: SandboxSpec): number | null => (spec.gatewaySocket === null ? null : RELAY_PORT)

function expectRunner(
  spec: SandboxSpec,
  isolation: IsolationLevel,
  remove: () => Promise<void>,
  { door, graceMs, clock }: PodSandboxDeps,
): Visitor {
  const visitor: Visitor = door.expect({
    spec,
    isolation,
    workDir: INSIDE.work,
    home: INSIDE.home,
    tmp: INSIDE.tmp,
    path: null,
    relayPort: relayPortOf(spec),
    graceMs,
    clock,
    lostAfterMs: LOST_AFTER_MS,
    ...(spec.isTreeWanted === false ? {} : { collect: () => collectTree(spec, visitor.sandbox, clock) }),
    remove,
  })
  return visitor
}

const tokenOf = (
  spec: SandboxSpec,
  secret: string,
  homes: readonly HomeAddress[],
  directories: readonly string[],
): RunnerToken => ({
  id: spec.id,
  secret,
  homes,
  workDir: INSIDE.work,
  disk: [INSIDE.work, INSIDE.home, INSIDE.tmp, ...directories],
  spool: INSIDE.spool,
  spoolBytes: SPOOL_BYTES,
  awayMs: AWAY_MS,
  relayPort: relayPortOf(spec),
  alone: true,
})

/** What the cluster says of the end of a pod, told to the sandbox in it. */
function loseTo(sandbox: RemoteSandbox, place: PodPlace): void {
  const limit = place.condition().failure?.limit
  if (limit) sandbox.overrun(limit)
  else sandbox.lose((place.lost.reason as Error).message)
}

/** Its pod runs, but the runner in it found no home. */
const noWay = (homes: readonly HomeAddress[]) => () => {
  const tried = homes.map(home => ('host' in home ? `${home.host}:${home.port}` : home.socket)).join(', ')
  const why = `Its pod runs, but found no way to this node in ${ARRIVAL_MS / 1000} s; it tried ${tried}`
  const remedy = 'Set `executors.kubernetes.home` to where pods reach this machine, and let them through its firewall.'
  return new SandboxError('unavailable', why, { remedy })
}

function withCleanup(visitor: Visitor, image: UsedImage, spec: SandboxSpec, gone: () => void): Sandbox {
  const { cleanup, ...sandbox } = visitor.sandbox
  return {
    ...sandbox,
    image,
    async cleanup() {
      await cleanup()
      visitor.dismiss()
      await rm(spec.scratch, { recursive: true, force: true })
      gone()
    },
  }
}

const workloadOf = (
  spec: SandboxSpec,
  isolation: IsolationLevel,
  settings: KubernetesConfig,
  condition: Condition | null,
  stats: SandboxStats | null,
): Workload => ({
  id: `kubernetes:${spec.id}`,
  executor: 'kubernetes',
  jobId: spec.job?.id ?? null,
  epoch: spec.job?.epoch ?? null,
  purpose: spec.job?.purpose ?? null,
  state: condition?.state ?? 'pending',
  reason: condition?.reason ?? null,
  isolation,
  image: condition?.image ?? spec.image ?? settings.image,
  imageDigest: condition?.imageDigest ?? null,
  machine: condition?.machine ?? null,
  startedAt: condition?.startedAt ?? null,
  cpuMs: stats && Math.round(stats.cpuMs),
  memoryBytes: stats && Math.round(stats.memoryBytes),
  memoryLimitBytes: spec.limits.memoryBytes,
})
