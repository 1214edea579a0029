import type { Clock } from '#server/lib/clock.ts'
import type { ContainerConfig } from '#shared/model/index.ts'

export interface ContainerExecutorDeps {
  /** Marks this node's containers. */
  readonly nodeId: string
  /** For what is remembered from one run of the server to the next; made when needed. */
  readonly directory: string
  /** Absolute path of the bundled runner, dist/inside/runner.mjs. */
  readonly runnerFile: string
  /** How long a sandbox may go on after SIGTERM. */
  readonly graceMs: number
  readonly clock: Clock
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: { warn(fields: object, message: string): void }
  readonly settings: ContainerConfig
}
