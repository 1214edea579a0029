import { readFile } from 'node:fs/promises'
import { doneOnce } from '#server/lib/done-once.ts'
import type { ExecutorCapacity, Workload } from '#shared/model/index.ts'
import { type ExecutorProbe, type Sandbox, SandboxError, type SandboxSpec } from '../index.ts'
import { createDoor, createReception, ownAddresses } from '../runner/index.ts'
import { createClusterApi } from './cluster-api.ts'
import { openConnection } from './connection.ts'
import type { KubernetesExecutorDeps } from './deps.ts'
import { addressTowards, homeAddresses } from './home.ts'
import type { Source } from './kubeconfig.ts'
import { type PodSandbox, podSandbox } from './pod-sandbox.ts'
import { createPods } from './pods.ts'
import { probeCluster } from './probe.ts'
import { surveyCapacity } from './survey.ts'

/** One cluster, as it is used once somebody asks for it. */
export interface Cluster {
  probe(): Promise<ExecutorProbe>
  /** @throws {SandboxError} */
  capacity(): Promise<ExecutorCapacity>
  /** @throws {SandboxError} and leaves nothing behind then */
  prepare(spec: SandboxSpec, signal?: AbortSignal): Promise<Sandbox>
  workloads(): Promise<readonly Workload[]>
  /** @throws {SandboxError} */
  reap(): Promise<number>
  /** Whether nothing of ours is in it. */
  isIdle(): boolean
  close(): void
}

/** @throws {SandboxError} that says what is wrong with the kubeconfig */
export async function openCluster(source: Source, deps: KubernetesExecutorDeps): Promise<Cluster> {
  const { nodeId, settings, graceMs, clock, random, log } = deps
  const connection = await openConnection(source, { context: settings.context, clock })
  const api = createClusterApi(connection, deps.counted)
  const runner = () => readFile(deps.runnerFile, 'utf8')
  const pods = createPods({ api, nodeId, settings, runner, graceMs, clock, random, log })
  const door = createDoor({ clock })
  const living = new Map<string, PodSandbox>()
  const reception = createReception(door, settings.home, 'executors.kubernetes.home')

  const homes = doneOnce(async () => {
    const { address } = settings.home
    const towards = address === 'auto' ? await addressTowards(connection.server) : null
    const found = await reception.homesAt(homeAddresses(settings.home, { own: ownAddresses(), towards }))
    log.info({ hosts: found.map(({ host }) => host), port: found[0]?.port }, 'Listens for runners in pods')
    return found
  })

  return {
    probe: () => probeCluster(api, settings),
    capacity: () => surveyCapacity(api, settings),
    async prepare(spec, signal) {
      if (living.has(spec.id)) throw new SandboxError('failed', `Sandbox ${spec.id} is there already`)
      const gone = () => void living.delete(spec.id)
      const sandbox = podSandbox(spec, { pods, door, settings, graceMs, clock, homes, gone })
      living.set(spec.id, sandbox)
      return sandbox.prepare(signal)
    },
    workloads: () => Promise.all([...living.values()].map(sandbox => sandbox.describe())),
    reap: () => pods.reap(),
    isIdle: () => living.size === 0,
    close() {
      pods.close()
      reception.close()
      connection.close()
    },
  }
}
