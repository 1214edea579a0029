import { join } from 'node:path'
import type { Agent } from '#server/agents/index.ts'
import { RELAY_PORT } from '#server/executors/index.ts'
import type { Lifetime } from '#server/lib/lifetime.ts'
import type { ModelUse } from '#server/models/index.ts'
import type { JobRow } from '#server/store/index.ts'
import type { Permissions } from './permissions.ts'
import type { OpenPlace } from './places.ts'
import type { AttemptDeps } from './ports.ts'
import type { Progress } from './progress.ts'
import type { Record_ } from './record.ts'

/** Everything one attempt works with. */
export interface Attempt {
  /** As it was claimed: what is asked for, under which epoch. Where it stands is told by `progress`. */
  readonly job: JobRow
  readonly progress: Progress
  readonly deps: AttemptDeps
  readonly record: Record_
  readonly agent: Agent
  readonly openPlace: OpenPlace
  readonly permissions: Permissions
  readonly signal: AbortSignal
}

/** Hosts the sandboxes of this attempt may reach. */
export function allowedHosts({ deps, job }: Attempt): readonly string[] {
  return [...new Set([...deps.settings.networkAllow, ...job.spec.network.allow])]
}

/** Opens a gateway for one of the attempt's sandboxes. @returns its socket */
export async function openGateway(
  attempt: Attempt,
  purpose: string,
  token: string,
  used: (use: ModelUse) => void,
  life: Lifetime,
): Promise<string> {
  const { deps, job, record } = attempt
  const socket = join(deps.directories.runtime, `${job.id}-${purpose}`)
  const refused = (host: string, reason: string) => record.warn('network_refused', `${host}: ${reason}`)
  const allow = allowedHosts(attempt)
  life.use(await deps.gateway.open({ socket, token, models: deps.models, allow, relayPort: RELAY_PORT, used, refused }))
  return socket
}
