import type { KubernetesConfig } from '#shared/model/index.ts'
import { type ExecutorProbe, SandboxError } from '../index.ts'
import { findKubeconfig, type Nowhere, type Source } from './kubeconfig.ts'

/** @param version of the cluster, where it told that much */
export const noCluster = (detail: string, remedy: string | null, version: string | null = null): ExecutorProbe => ({
  available: false,
  isBroken: true,
  isolation: 'none',
  version,
  detail,
  remedy,
})

/** Where the cluster is looked for; or, where there is none, that it is quietly so. Nobody is asked. */
export function locateCluster(
  settings: KubernetesConfig,
  find: (setting?: string) => Source | Nowhere = findKubeconfig,
): Source | ExecutorProbe {
  if (!settings.enabled) return { ...noCluster('turned off in the settings', null), isBroken: false }
  const found = find(settings.kubeconfig)
  if (found.kind !== 'nowhere') return found
  return { ...noCluster(found.problem ?? 'no kubeconfig was found', found.remedy), isBroken: found.problem !== null }
}

/** The same for who cannot do without. @throws {SandboxError} */
export function requireCluster(...where: Parameters<typeof locateCluster>): Source {
  const found = locateCluster(...where)
  if ('kind' in found) return found
  const { detail, remedy } = found
  throw new SandboxError('unavailable', `There is no cluster: ${detail}`, remedy === null ? {} : { remedy })
}
