import * as z from 'zod'
import { type ClusterApi, ClusterError } from './cluster-api.ts'
import type { fileManifest, jobManifest, runnerManifest, secretManifest } from './manifest.ts'
import { nodeSelector } from './names.ts'
import { Job, listOf, Machine } from './objects.ts'

/** All that is asked of a cluster for sandboxes, in one namespace. Each rejects with a ClusterError. */
export interface Calls {
  createSecret(secret: ReturnType<typeof secretManifest>, signal?: AbortSignal): Promise<void>
  /** @returns the uid of the Job */
  createJob(job: ReturnType<typeof jobManifest>, signal?: AbortSignal): Promise<string>
  /** Makes the Secret of that name belong to the Job of that name, so that it goes with it. */
  giveSecret(name: string, jobUid: string, signal?: AbortSignal): Promise<void>
  /** The Job, its pod and its Secret; what is gone already is well gone. */
  deleteJob(name: string): Promise<void>
  deleteSecret(name: string): Promise<void>
  /** Takes a pod off the books although its node does not say that it is over. */
  forcePod(name: string): Promise<void>
  /** Of a node, whether they run or not. */
  listJobs(nodeId: string): Promise<readonly Job[]>
  deleteSecrets(nodeId: string): Promise<void>
  /** Names of a node's ConfigMaps. */
  listConfigMaps(nodeId: string): Promise<readonly string[]>
  deleteConfigMap(name: string): Promise<void>
  /** One that is there already is the same. */
  putConfigMap(map: ReturnType<typeof runnerManifest | typeof fileManifest>): Promise<void>
  /** Of the whole cluster; not everybody may. */
  listMachines(timeoutMs: number): Promise<readonly Machine[]>
}

const Made = z.object({ metadata: z.object({ uid: z.string().min(1) }) })
const Named = z.object({ metadata: z.object({ name: z.string() }) })
const NOT_FOUND = 404
const CONFLICT = 409

export function createCalls(api: ClusterApi, namespace: string): Calls {
  const jobs = `/apis/batch/v1/namespaces/${namespace}/jobs`
  const core = `/api/v1/namespaces/${namespace}`
  const done = async (call: Promise<unknown>, but?: number) => {
    try {
      await call
    } catch (error) {
      if (!(error instanceof ClusterError && error.status === but)) throw error
    }
  }
  const any = z.unknown()
  return {
    createSecret: (body, signal) => done(api.call('POST', `${core}/secrets`, any, { body, signal })),
    createJob: async (body, signal) => (await api.call('POST', jobs, Made, { body, signal })).metadata.uid,
    giveSecret(name, uid, signal) {
      const ownerReferences = [{ apiVersion: 'batch/v1', kind: 'Job', name, uid, controller: true }]
      const body = { metadata: { ownerReferences } }
      return done(
        api.call('PATCH', `${core}/secrets/${name}`, any, { body, contentType: 'application/merge-patch+json', signal }),
      )
    },
    deleteJob: name =>
      done(api.call('DELETE', `${jobs}/${name}`, any, { query: { propagationPolicy: 'Background' } }), NOT_FOUND),
    deleteSecret: name => done(api.call('DELETE', `${core}/secrets/${name}`, any), NOT_FOUND),
    forcePod: name => done(api.call('DELETE', `${core}/pods/${name}`, any, { query: { gracePeriodSeconds: '0' } }), NOT_FOUND),
    listJobs: async nodeId =>
      (await api.call('GET', jobs, listOf(Job), { query: { labelSelector: nodeSelector(nodeId) } })).items,
    deleteSecrets: nodeId => done(api.call('DELETE', `${core}/secrets`, any, { query: { labelSelector: nodeSelector(nodeId) } })),
    listConfigMaps: async nodeId => {
      const query = { labelSelector: nodeSelector(nodeId) }
      const { items } = await api.call('GET', `${core}/configmaps`, listOf(Named), { query })
      return items.map(({ metadata }) => metadata.name)
    },
    deleteConfigMap: name => done(api.call('DELETE', `${core}/configmaps/${name}`, any), NOT_FOUND),
    putConfigMap: body => done(api.call('POST', `${core}/configmaps`, any, { body }), CONFLICT),
    listMachines: async timeoutMs => (await api.call('GET', '/api/v1/nodes', listOf(Machine), { timeoutMs })).items,
  }
}
