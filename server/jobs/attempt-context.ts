import { join } from 'node:path'
import type { Agent } from '#server/agents/index.ts'
import { type Executor, RELAY_PORT } from '#server/executors/index.ts'
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
  /** What its places are made by. */
  readonly executor: Executor
  readonly openPlace: OpenPlace
  readonly permissions: Permissions
  readonly signal: AbortSignal
}

/** Hosts the sandboxes of this attempt may reach: the node's own words, and those of a node whose job it is. */
function allowLists({ deps, job }: Attempt): { allow: readonly string[]; guestAllow: readonly string[] } {
  const { networkAllow } = deps.settings
  const wanted = job.spec.network.allow
  if (deps.isGuest) return { allow: networkAllow, guestAllow: wanted }
  return { allow: [...new Set([...networkAllow, ...wanted])], guestAllow: [] }
}

/** Whether the sandboxes of this attempt may reach any host at all. */
export function reachesHosts(attempt: Attempt): boolean {
  return Object.values(allowLists(attempt)).some(list => list.length > 0)
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
  const lists = allowLists(attempt)
  life.use(await deps.gateway.open({ socket, token, models: deps.models, ...lists, relayPort: RELAY_PORT, used, refused }))
  return socket
}
