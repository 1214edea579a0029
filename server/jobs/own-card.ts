import { within } from '#server/lib/within.ts'
import type { Fleet } from '#server/peers/index.ts'
import type { Reservations } from '#server/placement/index.ts'
import type { Card } from '#shared/model/index.ts'
import { PROTOCOL } from '#shared/model/index.ts'
import type { JobDeps } from './ports.ts'

/** How long a list of models is good for, ms; asking providers at every announcement would cost more than the answer is worth. */
const MODELS_FRESH_MS = 30_000
const MODELS_TIMEOUT_MS = 2_000

/** What this node tells of itself. */
export interface OwnCard {
  get(): Promise<Card>
}

export function createOwnCard(
  deps: Pick<JobDeps, 'store' | 'executors' | 'agents' | 'sharedModels' | 'workspace' | 'clock' | 'node'>,
  { reservations, isDraining, self }: { reservations: Reservations; isDraining(): boolean; self: Fleet['self'] },
): OwnCard {
  const { store, executors, agents, sharedModels, workspace, clock, node } = deps
  let seq = clock.now()
  let known: { at: number; models: Promise<string[]> } | null = null

  async function listModels(): Promise<string[]> {
    try {
      const found = await within(clock, MODELS_TIMEOUT_MS, null, signal => sharedModels.list(signal))
      return found.models.map(({ id }) => id).slice(0, 256)
    } catch {
      return []
    }
  }
  function freshModels(): Promise<string[]> {
    const now = clock.monotonic()
    if (!known || now - known.at > MODELS_FRESH_MS) known = { at: now, models: listModels() }
    return known.models
  }

  return {
    async get() {
      const [capacity, offered, repositories, probes, infos, queued] = await Promise.all([
        node.capacity(),
        freshModels(),
        workspace.cached(),
        Promise.all(executors.map(async executor => ({ kind: executor.kind, probe: await executor.probe() }))),
        Promise.all(agents.map(agent => agent.probe())),
        store.jobs({ before: null, limit: 100, state: 'queued' }),
      ])
      seq = Math.max(seq + 1, clock.now())
      return {
        node: self.id,
        name: self.name,
        seq,
        version: node.version,
        protocol: PROTOCOL,
        capacity,
        slots: reservations.slots,
        busy: reservations.busy(),
        waitingPlaces: reservations.waitingPlaces,
        waiting: reservations.waiting(),
        queued: queued.rows.length,
        executors: probes
          .filter(({ probe }) => probe.available)
          .map(({ kind, probe: { isolation, levels } }) => ({ kind, isolation, ...(levels ? { levels: [...levels] } : {}) })),
        agents: infos.filter(({ usable }) => usable).map(({ id }) => id),
        models: offered,
        repositories: repositories.slice(0, 1000),
        draining: isDraining(),
      }
    },
  }
}
