import { within } from '#server/lib/within.ts'
import { modelSide, type Reservations } from '#server/placement/index.ts'
import type { Announcement, NodeId, Terms } from '#shared/model/index.ts'
import { repositoryOf } from './hosted-attempt.ts'
import type { JobDeps } from './ports.ts'

/** Longest wait for the providers' lists of models, ms. */
const MODELS_MS = 500
const NONE: readonly string[] = []

/** What this node promises for a job. @param home whose job it is; null for one of its own */
export async function termsFor(
  {
    executors,
    workspace,
    models,
    sharedModels,
    clock,
  }: Pick<JobDeps, 'executors' | 'workspace' | 'models' | 'sharedModels' | 'clock'>,
  reservations: Reservations,
  { executor, repository, model, models: policy }: Announcement,
  home: NodeId | null,
): Promise<Terms> {
  const cache = repository && (home === null ? repository.id : repositoryOf(home, repository.id))
  const [probe, haves, offered] = await Promise.all([
    executors.find(({ kind }) => kind === executor)?.probe(),
    cache === null ? NONE : workspace.haves(cache),
    model === null ? NONE : listModels(home === null ? models : sharedModels, clock),
  ])
  const isHere = model === null || offered.includes(model)
  const isLocal = home === null || model === null || modelSide(policy, isHere) === 'worker'
  const slots = reservations.busy() + reservations.free()
  return {
    startMs: 0,
    runMs: null,
    modelLoaded: isLocal ? isHere : policy.atHome,
    modelLocal: isLocal,
    repositoryCached: repository === null || home === null || haves.length > 0,
    haves: [...haves],
    executor,
    isolation: probe?.isolation ?? 'none',
    // The place this bid holds is not load yet.
    load: slots === 0 ? 1 : Math.max(0, reservations.busy() - 1) / slots,
  }
}

async function listModels(models: JobDeps['models'], clock: JobDeps['clock']): Promise<readonly string[]> {
  const found = await within(clock, MODELS_MS, null, signal => models.list(signal)).catch(() => null)
  return found?.models.map(({ id }) => id) ?? []
}
