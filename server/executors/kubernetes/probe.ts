import * as z from 'zod'
import type { KubernetesConfig } from '#shared/model/index.ts'
import type { ExecutorProbe } from '../index.ts'
import type { ClusterApi } from './cluster-api.ts'
import { noCluster } from './locate.ts'
import { jobManifest } from './manifest.ts'
import { missingRights } from './permissions.ts'
import { explain, SETUP } from './refusals.ts'

const Version = z.object({ gitVersion: z.string() })
/** A cluster that is asleep must not keep `doctor` waiting. */
const TIMEOUT_MS = 5_000
const NOBODY = { memoryBytes: 2 ** 26, cpuSeconds: 1, processes: 1, fileBytes: 1, diskBytes: 2 ** 26, logBytes: 1 }

/**
 * Asks a cluster what it is and what we may do there, right by right, and has it judge a Job that it then does not make: that tells of
 * a namespace that is not there, and of admission rules that would refuse every sandbox.
 */
export async function probeCluster(api: ClusterApi, settings: KubernetesConfig): Promise<ExecutorProbe> {
  const { namespace } = settings
  let version: string | null = null
  try {
    version = (await api.call('GET', '/version', Version, { timeoutMs: TIMEOUT_MS })).gitVersion
    const missing = await missingRights(api, namespace)
    const needed = missing.filter(({ isOptional }) => !isOptional)
    if (needed.length > 0) {
      const list = needed.map(({ right, why }) => `${right} (${why})`).join('; ')
      return noCluster(`${api.said} does not let us: ${list}`, SETUP, version)
    }
    const body = jobManifest({
      nodeId: 'probe',
      spec: {
        id: 'probe',
        workTree: '',
        scratch: '',
        readOnly: [],
        env: {},
        limits: NOBODY,
        gatewaySocket: null,
        isolation: 'sandbox',
      },
      settings,
      runnerMap: 'probe',
      command: ['true'],
      graceMs: 0,
    })
    await api.call('POST', `/apis/batch/v1/namespaces/${namespace}/jobs`, z.unknown(), {
      body,
      query: { dryRun: 'All' },
      timeoutMs: TIMEOUT_MS,
    })
    const wants = missing.map(({ right, why }) => `${right} (${why})`)
    const lacking = wants.length > 0 ? `; it would do better with: ${wants.join(', ')}` : ''
    return {
      available: true,
      isolation: 'container',
      version,
      detail: `Kubernetes ${version}, ${api.said}, namespace ${namespace}${lacking}`,
      remedy: null,
    }
  } catch (error) {
    const { message, remedy } = explain(error, 'use the cluster')
    return noCluster(message, remedy ?? null, version)
  }
}
