import type { Executor } from '#server/executors/index.ts'
import type { Answer, Handlers } from '#server/lib/call.ts'
import type { Clock } from '#server/lib/clock.ts'
import { messageOf } from '#server/lib/message-of.ts'
import { within } from '#server/lib/within.ts'
import type { Fleet } from '#server/peers/index.ts'
import type { Store } from '#server/store/index.ts'
import { ApiError, type Operations } from '#shared/contract/index.ts'
import {
  type AttemptPlace,
  type ExecutorKind,
  isAttempt,
  type JobId,
  MOST_PLACES,
  placeOf,
  type Workload,
} from '#shared/model/index.ts'

/** Longest wait for one executor, ms: a cluster that does not answer must not hide what the others say. */
const ANSWER_MS = 5_000

/** What this node says of its executors and of what runs in them. */
export type WorkloadHandlers = Pick<Handlers, 'listExecutors' | 'listWorkloads' | 'evictWorkload'>

/** The workloads of this node. */
export interface Workloads {
  readonly handlers: WorkloadHandlers
  /** Those of an attempt, for its home. */
  placesOf(id: JobId, epoch: number): Promise<readonly AttemptPlace[]>
}

export interface WorkloadDeps {
  readonly executors: readonly Executor[]
  readonly clock: Clock
  readonly store: Pick<Store, 'job' | 'away'>
  readonly fleet: Pick<Fleet, 'link' | 'who'>
}

/** @param evict tells an attempt that runs here to give its place free, whichever it is without an epoch; false when there is none */
export function createWorkloads(deps: WorkloadDeps, evict: (id: JobId, epoch: number | null) => boolean): Workloads {
  const { executors, clock, store, fleet } = deps
  let looking: ReturnType<typeof lookNow> | null = null

  const soon = <T>(ask: () => Promise<T>): Promise<T> =>
    within(clock, ANSWER_MS, null, signal => {
      const late = new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      })
      return Promise.race([ask(), late])
    })

  /** However many ask, executors are asked once at a time. */
  function look(): ReturnType<typeof lookNow> {
    looking ??= lookNow().finally(() => {
      looking = null
    })
    return looking
  }
  async function lookNow(): Promise<{ found: Workload[]; unreachable: { executor: ExecutorKind; reason: string }[] }> {
    const answers = await Promise.allSettled(executors.map(executor => soon(() => executor.workloads())))
    const found = answers.flatMap(answer => (answer.status === 'fulfilled' ? answer.value : []))
    const unreachable = answers.flatMap((answer, index) => {
      const executor = executors[index]
      return answer.status === 'rejected' && executor ? [{ executor: executor.kind, reason: messageOf(answer.reason) }] : []
    })
    return { found, unreachable }
  }

  /** What the node says that has the newest attempt of a job. It is believed in what concerns itself: how its own sandboxes fare. */
  async function elsewhere(jobId: JobId): Promise<Answer<Operations['listWorkloads']>['body']['elsewhere']> {
    const [job, away] = await Promise.all([store.job(jobId), store.away(jobId)])
    if (!job || !away || !isAttempt(job.state)) return null
    const node = fleet.who(away.worker).name
    const name = { jobId, epoch: job.epoch }
    try {
      const link = fleet.link(away.worker)
      if (!link) throw new Error('The trust in it has ended.')
      const places = await within(clock, ANSWER_MS, null, signal => link.places(name, signal))
      return { node, items: places.map(place => ({ ...place, ...name })), problem: null }
    } catch (error) {
      return { node, items: [], problem: messageOf(error) }
    }
  }

  const handlers: WorkloadHandlers = {
    async listExecutors() {
      const items = await Promise.all(
        executors.map(async executor => {
          const { isBroken: _, ...probe } = await executor.probe()
          const { isolation, levels = [isolation] } = probe
          // What cannot be found out is not known; why, is what `detail` of a kind and its workloads say.
          const capacity = probe.available ? await soon(() => executor.capacity()).catch(() => null) : null
          return { kind: executor.kind, ...probe, levels: [...levels], capacity }
        }),
      )
      return { status: 200, body: { items } }
    },
    async listWorkloads({ query: { cursor, limit, jobId } }) {
      const [{ found, unreachable }, there] = await Promise.all([look(), jobId === undefined ? null : elsewhere(jobId)])
      const after = found
        .filter(workload => jobId === undefined || workload.jobId === jobId)
        .filter(({ id }) => cursor === undefined || id > cursor)
        .sort((a, b) => (a.id < b.id ? -1 : 1))
      const items = after.slice(0, limit)
      const nextCursor = after.length > limit ? (items.at(-1)?.id ?? null) : null
      return { status: 200, body: { items, nextCursor, unreachable, elsewhere: there } }
    },
    async evictWorkload({ params: { id } }) {
      const { found } = await look()
      const workload = found.find(one => one.id === id)
      if (!workload?.jobId || !evict(workload.jobId, workload.epoch))
        throw new ApiError('not_found', `No workload ${id} of a job runs here.`, { remedy: '`skein workloads` lists them.' })
      const job = await store.job(workload.jobId)
      return { status: 202, body: { jobId: workload.jobId, status: job?.state ?? null } }
    },
  }
  return {
    handlers,
    async placesOf(id, epoch) {
      const { found } = await look()
      return found
        .filter(workload => workload.jobId === id && workload.epoch === epoch)
        .slice(0, MOST_PLACES)
        .map(placeOf)
    },
  }
}
