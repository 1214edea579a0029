import type { Clock } from '#server/lib/clock.ts'
import type { KubernetesConfig } from '#shared/model/index.ts'
import type { Method } from './cluster-api.ts'
import type { Nowhere, Source } from './kubeconfig.ts'

/** What of a logger is used here. */
export interface Log {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

export interface KubernetesExecutorDeps {
  /** Marks this node's sandboxes. */
  readonly nodeId: string
  readonly settings: KubernetesConfig
  /** Absolute path of the bundled runner, dist/inside/runner.mjs. */
  readonly runnerFile: string
  /** How long a sandbox may go on after SIGTERM. */
  readonly graceMs: number
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
  /** Looks for the kubeconfig; default: where they usually are. */
  readonly find?: (setting: string | undefined) => Source | Nowhere
  /** Told of every request to the API server, for those who count. */
  readonly counted?: (method: Method, path: string) => void
}
