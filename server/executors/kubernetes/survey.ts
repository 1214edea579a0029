import * as z from 'zod'
import type { ExecutorCapacity, KubernetesConfig } from '#shared/model/index.ts'
import { capacityOf } from './capacity.ts'
import { type ClusterApi, ClusterError } from './cluster-api.ts'
import { listOf, Machine, Pod, Quota } from './objects.ts'
import { explain } from './refusals.ts'
import { pathOf, type renderSetup } from './setup.ts'

const FORBIDDEN = 403

/** Asks the cluster what it can give. What it does not let us see is left out. @throws {SandboxError} */
export async function surveyCapacity(api: ClusterApi, settings: KubernetesConfig): Promise<ExecutorCapacity> {
  const list = async <T>(
    path: string,
    item: z.ZodType<T>,
    query: Readonly<Record<string, string>> = {},
  ): Promise<readonly T[] | null> => {
    try {
      return (await api.call('GET', path, listOf(item), { query })).items as T[]
    } catch (error) {
      if (error instanceof ClusterError && error.status === FORBIDDEN) return null
      throw explain(error, 'ask what the cluster can give')
    }
  }
  const [machines, pods, quotas] = await Promise.all([
    list('/api/v1/nodes', Machine),
    list('/api/v1/pods', Pod, { fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed' }),
    list(`/api/v1/namespaces/${settings.namespace}/resourcequotas`, Quota),
  ])
  return capacityOf({ machines, pods, quotas: quotas ?? [] }, settings)
}

/** Puts the objects of a setup into the cluster, or changes those of ours that are there (server-side apply). @throws {SandboxError} */
export async function applySetup(api: ClusterApi, objects: ReturnType<typeof renderSetup>): Promise<void> {
  for (const body of objects) {
    const query = { fieldManager: 'skein', force: 'true' }
    await api.call('PATCH', pathOf(body), z.unknown(), { body, query }).catch(error => {
      throw explain(error, `apply ${body.kind} ${body.metadata.name}`)
    })
  }
}
