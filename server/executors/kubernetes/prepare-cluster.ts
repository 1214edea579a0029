import type { Clock } from '#server/lib/clock.ts'
import type { KubernetesConfig } from '#shared/model/index.ts'
import { SandboxError } from '../index.ts'
import { createClusterApi } from './cluster-api.ts'
import { openConnection } from './connection.ts'
import { requireCluster } from './locate.ts'
import { renderSetup } from './setup.ts'
import { applySetup } from './survey.ts'

/** What a cluster needs for this node's sandboxes: shown, or put there. */
export interface ClusterSetup {
  readonly objects: ReturnType<typeof renderSetup>
  /** @returns of which cluster, in words. @throws {SandboxError} */
  apply(): Promise<string>
}

/**
 * @param sandboxes how many of the default size the quota leaves room for
 * @throws {SandboxError} when the settings leave open what a policy has to name
 */
export function prepareCluster(settings: KubernetesConfig, sandboxes: number, clock: Clock): ClusterSetup {
  const { requests, home } = settings
  if (home.port === 0)
    throw new SandboxError('failed', 'A network policy has to name the port at which pods reach this node, and 0 is any', {
      remedy: 'Set `executors.kubernetes.home.port`.',
    })
  const quota = {
    pods: sandboxes,
    cpuCores: sandboxes * requests.cpuCores,
    memoryBytes: sandboxes * requests.memoryBytes,
  }
  const objects = renderSetup(settings, { quota })
  return {
    objects,
    async apply() {
      const source = requireCluster(settings)
      const connection = await openConnection(source, { context: settings.context, clock })
      try {
        const api = createClusterApi(connection)
        await applySetup(api, objects).catch(cause => {
          // Whoever may not do it cannot be helped by doing it.
          const remedy = 'Have somebody who may do it apply what `skein executors setup kubernetes` prints.'
          throw new SandboxError('unavailable', cause.message, {
            cause,
            remedy: cause.code === 'unavailable' ? remedy : cause.remedy,
          })
        })
        return api.said
      } finally {
        connection.close()
      }
    },
  }
}
