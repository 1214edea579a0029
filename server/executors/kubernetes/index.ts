import { soonOr } from '#server/lib/within.ts'
import type { Executor, ExecutorProbe, SandboxError } from '../index.ts'
import type { Cluster } from './cluster.ts'
import type { KubernetesExecutorDeps } from './deps.ts'
import { locateCluster, noCluster, requireCluster } from './locate.ts'

/** How long the cluster's last answer counts: bids and admissions ask often. */
const PROBE_MS = 30_000
/** A cluster that does not answer must not hold up the start of the node; what is left in it is then removed later. */
const REAP_MS = 5_000
const REAP_AGAIN_MS = 60_000

/** Sandboxes in pods of a cluster that a kubeconfig names. Nothing of it is loaded, and nobody asked, before the first question. */
export function kubernetesExecutor(deps: KubernetesExecutorDeps): Executor {
  const { settings, clock, log, find } = deps
  let cluster: Promise<Cluster> | null = null
  let probed: { readonly answer: Promise<ExecutorProbe>; readonly at: number } | null = null
  let cancelReap = () => {}
  let closed = false

  const locate = () => locateCluster(settings, find)

  const open = async (): Promise<Cluster> => {
    const source = requireCluster(settings, find)
    // The client library is large: a node without a cluster never reads it.
    cluster ??= import('./cluster.ts')
      .then(({ openCluster }) => openCluster(source, deps))
      .catch(cause => {
        cluster = null
        throw cause
      })
    return cluster
  }

  const ask = async (): Promise<ExecutorProbe> => {
    const source = locate()
    if (!('kind' in source)) return source
    try {
      const opened = await open()
      const answer = await opened.probe()
      if (!answer.available && opened.isIdle()) forget(opened)
      return answer
    } catch (error) {
      const { message, remedy } = error as SandboxError
      return noCluster(message, remedy ?? null)
    }
  }

  /** The kubeconfig may have been mended: the next one who asks reads it again. */
  const forget = (opened: Cluster) => {
    cluster = null
    opened.close()
  }

  const reap = async (): Promise<number> => {
    const ended = await (await open()).reap()
    if (ended > 0) log.warn({ sandboxes: ended }, 'Removed what an earlier run of this node left in the cluster')
    return ended
  }
  const reapLater = () => {
    if (closed) return
    cancelReap = clock.after(REAP_AGAIN_MS, () => void reap().catch(reapLater))
  }

  return {
    kind: 'kubernetes',
    programs: 'image',
    probe() {
      if (!probed || clock.monotonic() - probed.at > PROBE_MS) probed = { answer: ask(), at: clock.monotonic() }
      return probed.answer
    },
    capacity: async () => (await open()).capacity(),
    prepare: async (spec, signal) => (await open()).prepare(spec, signal),
    workloads: async () => (cluster ? (await cluster).workloads() : []),
    async reap() {
      if (!('kind' in locate())) return 0
      const reaping = reap().catch(error => {
        log.warn({ err: error }, 'What an earlier run left in the cluster is not removed yet, and is tried again')
        reapLater()
        return 0
      })
      return soonOr(clock, REAP_MS, reaping, 0)
    },
    async close() {
      closed = true
      cancelReap()
      const opened = await cluster?.catch(() => null)
      opened?.close()
    },
  }
}
