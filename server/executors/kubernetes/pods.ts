import type { Clock } from '#server/lib/clock.ts'
import type { KubernetesConfig } from '#shared/model/index.ts'
import type { SandboxSpec } from '../index.ts'
import { createCalls } from './calls.ts'
import type { ClusterApi } from './cluster-api.ts'
import { jobManifest, runnerManifest, secretManifest } from './manifest.ts'
import { type Log, makePlace, type PodPlace } from './pod-place.ts'
import { explain } from './refusals.ts'
import { watchSandboxes } from './sightings.ts'

/** Makes, watches and removes the Jobs of sandboxes. What runs in their pods is not its business. */
export interface Pods {
  /** Fulfils when the container runs. @throws {SandboxError} and leaves nothing behind then */
  make(spec: SandboxSpec, request: PodRequest): Promise<PodPlace>
  /** Removes what an earlier run of this node left. @returns how many sandboxes that were. @throws {SandboxError} */
  reap(): Promise<number>
  close(): void
}

export interface PodRequest {
  readonly command: readonly string[]
  /** Files of its Secret. */
  readonly secret: Readonly<Record<string, string>>
  readonly signal?: AbortSignal | undefined
}

export interface PodsDeps {
  readonly api: ClusterApi
  readonly nodeId: string
  readonly settings: KubernetesConfig
  /** The program that is shown to every pod as `/skein/runner/runner.mjs`. */
  readonly runner: () => Promise<string>
  readonly graceMs: number
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
}

export function createPods(deps: PodsDeps): Pods {
  const { api, nodeId, settings, graceMs } = deps
  const { namespace, startMs } = settings
  const calls = createCalls(api, namespace)
  const sightings = watchSandboxes({ ...deps, namespace })
  /** Names of those that are not gone. */
  const living = new Set<string>()
  let runnerMap: Promise<string> | null = null
  const closed = new AbortController()

  const ensureRunner = () => {
    runnerMap ??= putRunner().catch(error => {
      runnerMap = null
      throw explain(error, 'give the runner to the cluster')
    })
    return runnerMap
  }
  const putRunner = async () => {
    const manifest = runnerManifest(nodeId, namespace, await deps.runner())
    await calls.putConfigMap(manifest)
    return manifest.metadata.name
  }

  return {
    async make(spec, { command, secret: content, signal }) {
      signal?.throwIfAborted()
      const manifest = { nodeId, spec, settings, runnerMap: await ensureRunner(), command, graceMs }
      const job = jobManifest(manifest)
      const secret = secretManifest(manifest, content)
      const { name } = job.metadata
      living.add(name)
      const gone = () => void living.delete(name)
      return makePlace({ spec, job, secret, signal, gone }, { ...deps, calls, sightings, startMs, closed: closed.signal })
    },
    async reap() {
      try {
        const jobs = await calls.listJobs(nodeId)
        const left = jobs.filter(({ metadata }) => !living.has(metadata.name) && metadata.deletionTimestamp === undefined)
        for (const { metadata } of left) await calls.deleteJob(metadata.name)
        // Those of a run that was killed before it could give them to their Jobs. They are not read: there is no right to.
        if (living.size === 0) await calls.deleteSecrets(nodeId)
        return left.length
      } catch (error) {
        throw explain(error, 'look for what an earlier run left in the cluster')
      }
    },
    close() {
      closed.abort()
      sightings.close()
    },
  }
}
