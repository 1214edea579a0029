import { ApiError, type Client } from '#shared/contract/index.ts'
import type { JobEvent, JobId, SpecJob } from '#shared/model/index.ts'
import type { JobsOfTasks, TaskJobs } from './language/jobs.ts'
import { throttle } from './throttle.ts'

/** Between two looks at the jobs of features, ms. */
const LOOK_MS = 200
/** Jobs of which it is remembered whether they are for a task. */
const MOST_REMEMBERED = 10_000

export interface TaskJobsDeps {
  /** @throws {ApiError} while there is no server */
  client(): Promise<Client>
  /** The jobs of a feature are others than before. */
  changed(root: string, feature: string): void
  /** A job of some task of some feature came or moved. */
  moved(): void
  failed(error: unknown): void
}

export interface TaskJobsMirror extends JobsOfTasks {
  /** An event of the node. */
  event(event: JobEvent): void
  /** The server is there, maybe again: what is wanted is asked for. */
  refresh(): void
  close(): void
}

interface Wanted {
  readonly root: string
  readonly feature: string
  jobs: TaskJobs
  isStale: boolean
  isRead: boolean
}

/** Which job is the newest of each task of the features that are looked at, as the node has it. */
export function createTaskJobs({ client, changed, moved, failed }: TaskJobsDeps): TaskJobsMirror {
  const wanted = new Map<string, Wanted>()
  /** Feature of each job that is for a task of one; null for a job that is for none. */
  const features = new Map<JobId, string | null>()
  const look = throttle(LOOK_MS, () => {
    for (const one of wanted.values()) if (one.isStale && !one.isRead) void read(one).catch(failed)
  })

  function remember(id: JobId, feature: string | null): void {
    features.delete(id)
    features.set(id, feature)
    for (const oldest of features.keys()) {
      if (features.size <= MOST_REMEMBERED) break
      features.delete(oldest)
    }
  }

  function stale(fits: (one: Wanted) => boolean): void {
    for (const one of wanted.values()) if (fits(one)) one.isStale = true
    look.call()
  }

  async function read(one: Wanted): Promise<void> {
    const { root, feature } = one
    one.isStale = false
    one.isRead = true
    const jobs = await ask(root, feature).finally(() => {
      one.isRead = false
    })
    if (one.isStale) look.call()
    if (jobs === null || wanted.get(keyOf(root, feature)) !== one) return
    for (const { jobId } of jobs.values()) remember(jobId, feature)
    if (isSame(one.jobs, jobs)) return
    one.jobs = jobs
    changed(root, feature)
  }

  async function ask(root: string, feature: string): Promise<ReadonlyMap<string, SpecJob> | null> {
    try {
      return await newestJobs(await client(), root, feature)
    } catch (error) {
      // Work trees of this machine need not be on that of the node; while there is none, the next `ready` asks again.
      if (error instanceof ApiError && (error.code === 'not_found' || error.code === 'not_ready')) return null
      throw error
    }
  }

  async function follow({ jobId, body }: JobEvent): Promise<void> {
    if (body.type === 'job.created') remember(jobId, body.spec?.feature ?? null)
    else if (body.type !== 'job.state') return
    let feature = features.get(jobId)
    if (feature === undefined) {
      const job = await (await client()).getJob({ params: { id: jobId } })
      feature = job.spec.spec?.feature ?? null
      remember(jobId, feature)
    }
    if (feature === null) return
    stale(one => one.feature === feature)
    moved()
  }

  return {
    of: (root, feature) => wanted.get(keyOf(root, feature))?.jobs ?? null,
    want(root, feature) {
      const key = keyOf(root, feature)
      if (wanted.has(key)) return
      wanted.set(key, { root, feature, jobs: null, isStale: true, isRead: false })
      look.call()
    },
    drop: (root, feature) => void wanted.delete(keyOf(root, feature)),
    event: event => void follow(event).catch(failed),
    refresh: () => stale(() => true),
    close: look.stop,
  }
}

const keyOf = (root: string, feature: string): string => `${root}\0${feature}`

async function newestJobs(client: Client, repository: string, feature: string): Promise<ReadonlyMap<string, SpecJob>> {
  const { tasks } = await client.getSpec({ params: { feature }, query: { repository } })
  return new Map(tasks.flatMap(({ id, job }) => (job ? [[id, job] as const] : [])))
}

const isSame = (one: TaskJobs, other: ReadonlyMap<string, SpecJob>): boolean =>
  one !== null && JSON.stringify([...one]) === JSON.stringify([...other])
