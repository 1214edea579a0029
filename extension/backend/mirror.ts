import type { Clock } from '../state/clock.ts'
import type { Fleet } from '../state/fleet.ts'
import type { JobSource, Jobs } from '../state/jobs.ts'
import type { Disposable } from '../state/signal.ts'
import type { SpecSource } from '../state/specs.ts'
import type { Backend } from './backend.ts'
import { sentence } from './failure.ts'

/** Between two questions to this node about itself, while jobs come and go, ms. */
const SELF_MS = 2000

/** What the mirror of the jobs asks, as calls. */
export const jobSource = (backend: Backend): JobSource => ({
  list: query => backend.call('listJobs', { query }),
  get: id => backend.call('getJob', { params: { id } }),
  specs: query => backend.call('listJobSpecs', { query }),
  events: (id, after) => backend.call('listEvents', { params: { id }, query: { after, limit: 1000 } }),
})

/** What the mirror of the specs asks. */
export const specSource = (backend: Backend): SpecSource => ({
  list: repository => backend.call('listSpecs', { query: { repository } }),
  get: (repository, feature) => backend.call('getSpec', { params: { feature }, query: { repository } }),
})

interface OwnDeps {
  readonly backend: Backend
  readonly fleet: Fleet
}
export interface MirrorDeps extends OwnDeps {
  readonly jobs: Jobs
  readonly clock: Clock
  /** Whether somebody looks at the nodes. */
  readonly isFleetShown: () => boolean
  readonly warn: (text: string) => void
}

/** Asks this node about itself. */
export async function refreshSelf({ backend, fleet }: OwnDeps): Promise<void> {
  const { state } = backend
  if (state.state !== 'ready') return fleet.learnSelf(null)
  const { node, version, url } = state
  const [health, drain, models] = await Promise.all([
    backend.call('health').catch(() => null),
    backend.call('drainStatus').catch(() => null),
    backend.call('listModels').catch(() => null),
  ])
  fleet.learnSelf({ node, version, url, health, drain, models: models?.data.map(({ id }) => id) ?? [] })
}

/**
 * Keeps jobs and nodes as the orchestrator has them. Its streams go on by themselves after a break; all is read anew when another
 * orchestrator answers.
 */
export function mirror(deps: MirrorDeps): Disposable {
  const { backend, fleet, jobs, clock, warn } = deps
  let known: string | null = null
  let timer: Disposable | null = null

  function look(): void {
    timer = null
    refreshSelf(deps).catch(error => warn(`This node could not be asked: ${sentence(error)}`))
  }
  function lookSoon(): void {
    if (deps.isFleetShown()) timer ??= clock.after(SELF_MS, look)
  }
  const listening = [
    backend.follow({ name: 'jobs' }, undefined, ({ item }) => {
      if (item.type === 'event') {
        jobs.take(item.event)
        if (item.event.body.type === 'job.state') lookSoon()
      }
      if (item.type === 'error') warn(`Jobs are not told of any more: ${item.problem.detail}`)
    }),
    backend.follow({ name: 'peers' }, undefined, ({ item }) => {
      if (item.type === 'peers') fleet.take(item)
    }),
    backend.onState(state => {
      if (state.state !== 'ready') return
      look()
      if (state.node === known) return
      known = state.node
      jobs.reset().catch(error => {
        known = null
        warn(`The jobs could not be read: ${sentence(error)}`)
      })
    }),
  ]
  return {
    dispose() {
      timer?.dispose()
      for (const listener of listening) listener.dispose()
    },
  }
}
