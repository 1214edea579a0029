import type { Clock } from '#server/lib/clock.ts'
import type { KubernetesConfig } from '#shared/model/index.ts'
import type { SandboxSpec } from '../index.ts'
import { createCalls } from './calls.ts'
import type { ClusterApi } from './cluster-api.ts'
import type { Log } from './deps.ts'
import { fileManifest, jobManifest, runnerManifest, secretManifest } from './manifest.ts'
import { makePlace, type PodPlace } from './pod-place.ts'
import { explain } from './refusals.ts'
import type { Shown } from './shown.ts'
import { watchSandboxes } from './sightings.ts'
import type { Condition } from './status.ts'

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
  /** Default: nothing. */
  readonly shown?: Shown
  /** Told, before the pod is made, how to ask how it is. */
  readonly watched?: (condition: () => Condition) => void
  /** Fulfils when what runs in it has said so itself, which is often before its node tells the cluster. */
  readonly begun?: Promise<unknown>
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
  const { api, nodeId, settings, graceMs, log } = deps
  const { namespace, startMs } = settings
  const calls = createCalls(api, namespace)
  const sightings = watchSandboxes({ ...deps, namespace })
  /** Names of those that are not gone. */
  const living = new Set<string>()
  /** Those that this run has put there, by what they are called here. */
  const maps = new Map<string, Promise<string>>()
  const closed = new AbortController()

  /** Removes the maps of earlier versions, once a run: names tell content. Without the right to, they stay. */
  const tidy = async (kept: string) => {
    try {
      const old = (await calls.listConfigMaps(nodeId)).filter(name => name !== kept)
      for (const name of old) await calls.deleteConfigMap(name)
    } catch (error) {
      log.info({ err: error }, 'Runners of earlier versions stay in the cluster')
    }
  }

  const ensureMap = (key: string, manifest: () => Promise<ReturnType<typeof runnerManifest | typeof fileManifest>>) => {
    const put = async () => {
      const map = await manifest()
      await calls.putConfigMap(map)
      return map.metadata.name
    }
    const name =
      maps.get(key) ??
      put().catch(error => {
        maps.delete(key)
        throw explain(error, 'give the runner to the cluster')
      })
    maps.set(key, name)
    return name
  }
  const ensureRunner = () => ensureMap('runner', async () => runnerManifest(nodeId, namespace, await deps.runner()))
  let tidied: Promise<void> | null = null
  const ensureFiles = ({ files }: Shown) =>
    Promise.all(
      files.map(async file => ({
        path: file.path,
        map: await ensureMap(file.hash, async () => fileManifest(nodeId, namespace, file)),
      })),
    )

  return {
    async make(spec, { command, secret: content, shown = { directories: [], files: [] }, watched, begun, signal }) {
      signal?.throwIfAborted()
      const runnerMap = await ensureRunner()
      // Before any other map is put there, so that none of this run is taken for an old one.
      tidied ??= tidy(runnerMap)
      await tidied
      const files = await ensureFiles(shown)
      const manifest = { nodeId, spec, settings, runnerMap, command, graceMs, shown: { directories: shown.directories, files } }
      const job = jobManifest(manifest)
      const secret = secretManifest(manifest, content)
      const { name } = job.metadata
      living.add(name)
      const gone = () => void living.delete(name)
      return makePlace(
        { spec, job, secret, signal, gone, watched, begun },
        { ...deps, calls, sightings, startMs, closed: closed.signal },
      )
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
