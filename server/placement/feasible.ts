import type { Announcement, Card, JobSpec } from '#shared/model/index.ts'
import { candidatesOf, place, type Wanted as WantedOfExecutor } from './executor.ts'
import { modelSide } from './model-side.ts'

type Wanted = Pick<JobSpec, 'where' | 'agent' | 'model'> &
  Omit<WantedOfExecutor, 'sandbox'> & {
    readonly sandbox?: JobSpec['sandbox']
    /** Who may answer its model calls; the node itself where nothing is said. */
    readonly models?: Announcement['models']
  }

const ITS_OWN: Announcement['models'] = { policy: 'worker-only', atHome: false }

const names = (card: Card, list: readonly string[]): boolean => list.some(name => name === card.name || name === card.node)

/** Why a node cannot take a job, as far as its card tells; null when it may. A card is old: its yes is no promise. */
export function infeasible(job: Wanted, card: Card): string | null {
  const { where } = job
  if (where.on.length > 0 && !names(card, where.on)) return 'It is not among the nodes the job names.'
  if (names(card, where.notOn)) return 'The job excludes it.'
  if (card.draining) return 'It is draining.'
  for (const [label, value] of Object.entries(where.labels)) {
    if (card.capacity.labels[label] !== value) return `It has no label ${label}=${value}.`
  }
  if (where.gpu && card.capacity.gpuCount === 0) return 'It has no GPU.'
  const placement = place({ ...job, sandbox: job.sandbox ?? 'required' }, candidatesOf(card))
  if (!placement.ok) return placement.why
  if (!card.agents.includes(job.agent)) return `It has no agent "${job.agent}".`
  const models = job.models ?? ITS_OWN
  if (job.model !== undefined && modelSide(models, card.models.includes(job.model)) === null)
    return models.policy === 'home-only'
      ? `Its home answers model calls alone, and has no model "${job.model}".`
      : `It has no model "${job.model}".`
  return null
}
