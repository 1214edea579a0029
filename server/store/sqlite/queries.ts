import {
  ATTEMPT_STATES,
  type Check,
  isEnd,
  JOB_STATES,
  type JobId,
  type JobState,
  type PlacementRecord,
} from '#shared/model/index.ts'
import type { AwayRow, Dismissal, JobRow, JobSpecRow, LogRow, ProcessRow, SpecJobRow, Store } from '../index.ts'
import { findRepeated } from './admit.ts'
import { SELECT_AWAY } from './away.ts'
import { type EventRecord, type JobRecord, selectJob, toEvent, toJob } from './rows.ts'
import type { Statements } from './statements.ts'

type Queries = Pick<
  Store,
  | 'job'
  | 'repeated'
  | 'jobs'
  | 'inFlight'
  | 'undelivered'
  | 'unsealed'
  | 'processes'
  | 'away'
  | 'aside'
  | 'dismissals'
  | 'placements'
  | 'specJobs'
  | 'jobSpecs'
  | 'overdue'
  | 'ended'
  | 'events'
  | 'allEvents'
  | 'log'
>

const IN_FLIGHT = ATTEMPT_STATES.map(state => `'${state}'`).join(', ')

interface Page {
  readonly sql: string
  /** In the order of the question marks; Node.js 22 takes numbered ones for names. */
  readonly values: readonly (number | string)[]
}

type SpecFilter = NonNullable<Parameters<Store['jobs']>[0]['spec']>
interface JobFilter {
  readonly state?: JobState
  readonly active?: boolean
  readonly spec?: SpecFilter
}

/** States that fit; null: all. */
function statesOf(state: JobState | undefined, active: boolean | undefined): readonly JobState[] | null {
  if (state === undefined && active === undefined) return null
  return JOB_STATES.filter(one => (state === undefined || one === state) && (active === undefined || active !== isEnd(one)))
}

/** Newest first in each of some states: every branch walks the index of its state no further than the page is long. */
function pageOf(states: readonly JobState[], before: number, limit: number): Page {
  const branches = states.map(
    state => `SELECT * FROM (SELECT seq FROM job WHERE state = '${state}' AND seq < ? ORDER BY seq DESC LIMIT ?)`,
  )
  return {
    sql: `${selectJob()} WHERE j.seq IN (${branches.join(' UNION ALL ')}) ORDER BY j.seq DESC LIMIT ?`,
    values: [...states.flatMap(() => [before, limit]), limit],
  }
}

/** Newest first of a feature, and of states: walks the jobs of the feature no further than the page is long, or the state is found. */
function pageOfSpec(
  { feature, repository }: SpecFilter,
  states: readonly JobState[] | null,
  before: number,
  limit: number,
): Page {
  const [index, where, named] =
    repository === null
      ? ['spec_task_by_feature', 'feature = ?', [feature]]
      : ['spec_task_by_tree', 'feature = ? AND repository = ?', [feature, repository]]
  const ofStates = states === null ? '' : ` AND j.state IN (${states.map(state => `'${state}'`).join(', ')})`
  return {
    sql: `${selectJob()} WHERE j.seq IN (SELECT s.job FROM spec_task s INDEXED BY ${index} CROSS JOIN job j ON j.seq = s.job
      WHERE ${where} AND s.job < ?${ofStates} ORDER BY s.job DESC LIMIT ?) ORDER BY j.seq DESC LIMIT ?`,
    values: [...named, before, limit, limit],
  }
}

const checksOf = (checks: string): SpecJobRow['checks'] =>
  (JSON.parse(checks) as Check[]).map(({ argv, verdict }) => ({ argv, verdict }))

/** Every question the store answers. Each is served by an index, whatever the number of jobs that have ended. */
export function createQueries(statements: Statements): Queries {
  const { get, all } = statements
  const listed = ({ state, active, spec }: JobFilter, before: number, limit: number): Page => {
    if (spec !== undefined) return pageOfSpec(spec, statesOf(state, active), before, limit)
    const states = statesOf(state, active)
    if (states !== null) return pageOf(states, before, limit)
    return { sql: `${selectJob()} WHERE j.seq < ? ORDER BY j.seq DESC LIMIT ?`, values: [before, limit] }
  }

  return {
    async job(id) {
      const record = get<JobRecord>(`${selectJob()} WHERE j.id = ?`, id)
      return record ? toJob(record) : null
    },
    repeated: async key => findRepeated(statements, key),
    async jobs({ before, limit, ...filter }) {
      const { sql, values } = listed(filter, before ?? Number.MAX_SAFE_INTEGER, limit + 1)
      const records = all<JobRecord>(sql, ...values)
      const rows = records.slice(0, limit).map(record => ({ ...toJob(record), seq: record.seq }))
      return { rows, next: records.length > limit ? (rows.at(-1)?.seq ?? null) : null }
    },
    async inFlight(): Promise<JobRow[]> {
      return all<JobRecord>(`${selectJob()} WHERE j.state IN (${IN_FLIGHT}) ORDER BY j.seq`).map(toJob)
    },
    async undelivered() {
      return all<JobRecord>(`${selectJob('job_to_deliver')} WHERE j.undelivered = 1 ORDER BY j.seq`).map(toJob)
    },
    async unsealed() {
      const rows = all<{ id: JobId }>(
        'SELECT id FROM job INDEXED BY job_to_seal WHERE ended_at IS NOT NULL AND sealed = 0 ORDER BY seq',
      )
      return rows.map(({ id }) => id)
    },
    async processes() {
      return all<ProcessRow>(
        `SELECT j.id AS jobId, p.epoch, p.purpose, p.pid, p.start_time AS startTime
          FROM process p CROSS JOIN job j ON j.seq = p.job ORDER BY p.job, p.epoch`,
      )
    },
    async away(id) {
      const row = get<AwayRow>(`${SELECT_AWAY} WHERE j.id = ? AND a.epoch = j.epoch AND a.aside = 0`, id)
      return row ?? null
    },
    async aside(id) {
      const all_ = `${SELECT_AWAY} WHERE a.aside = 1`
      return id === undefined
        ? all<AwayRow>(`${all_} ORDER BY a.job, a.epoch`)
        : all<AwayRow>(`${all_} AND j.id = ? ORDER BY a.epoch`, id)
    },
    async dismissals() {
      return all<Dismissal>('SELECT worker, job AS jobId, epoch, since FROM dismissal ORDER BY since, worker, job, epoch')
    },
    async placements(id) {
      return all<{ record: string }>(
        'SELECT p.record FROM job j JOIN placement p ON p.job = j.seq WHERE j.id = ? ORDER BY p.epoch',
        id,
      ).map(({ record }) => JSON.parse(record) as PlacementRecord)
    },
    async specJobs(feature) {
      const rows = all<Omit<SpecJobRow, 'checks'> & { checks: string | null }>(
        `SELECT j.id AS jobId, j.state, s.task, s.repository, a.worker, json_extract(o.result, '$.checks') AS checks,
          (SELECT wording FROM spec_task WHERE job = s.job) AS wording
          FROM (SELECT task, repository, max(job) AS job FROM spec_task WHERE feature = ? GROUP BY repository, task) s
          CROSS JOIN job j ON j.seq = s.job LEFT JOIN outcome o ON o.job = j.seq
          LEFT JOIN away a ON a.job = j.seq AND a.epoch = j.epoch AND a.aside = 0
          ORDER BY s.job DESC`,
        feature,
      )
      return rows.map(({ checks, ...row }) => ({ ...row, checks: checks === null ? [] : checksOf(checks) }))
    },
    async jobSpecs(after, limit) {
      const { feature = '', repository = '' } = after ?? {}
      return all<JobSpecRow>(
        `SELECT feature, repository, count(*) AS jobs FROM spec_task INDEXED BY spec_task_by_tree
          WHERE (feature, repository) > (?, ?) GROUP BY feature, repository ORDER BY feature, repository LIMIT ?`,
        feature,
        repository,
        limit,
      )
    },
    async overdue(now) {
      const waiting = "job INDEXED BY job_to_expire WHERE state = 'queued' AND started_at IS NULL"
      const due = all<{ id: JobId }>(`SELECT id FROM ${waiting} AND queue_deadline <= ? ORDER BY queue_deadline`, now)
      const next = get<{ at: number | null }>(`SELECT min(queue_deadline) AS at FROM ${waiting} AND queue_deadline > ?`, now)
      return { ids: due.map(({ id }) => id), next: next?.at ?? null }
    },
    async ended(before, limit) {
      return all<{ id: JobId; endedAt: number; logBytes: number }>(
        `SELECT j.id, j.ended_at AS endedAt, l.bytes AS logBytes FROM job j INDEXED BY job_ended CROSS JOIN log l ON l.job = j.seq
          WHERE j.ended_at IS NOT NULL AND j.ended_at < ? AND j.undelivered = 0 ORDER BY j.ended_at, j.seq LIMIT ?`,
        before,
        limit,
      )
    },
    async events(id, after, limit) {
      return all<EventRecord>(
        `SELECT e.seq, j.id, e.n, e.at, e.body FROM job j CROSS JOIN event e ON e.job = j.seq
          WHERE j.id = ? AND e.n > ? ORDER BY e.n LIMIT ?`,
        id,
        after,
        limit,
      ).map(toEvent)
    },
    async allEvents(after, limit) {
      return all<EventRecord>(
        `SELECT e.seq, j.id, e.n, e.at, e.body FROM event e CROSS JOIN job j ON j.seq = e.job
          WHERE e.seq > ? ORDER BY e.seq LIMIT ?`,
        after,
        limit,
      ).map(toEvent)
    },
    async log(id) {
      const row = get<LogRow>(
        `SELECT j.id AS jobId, l.bytes, l.sha256, l.sealed_at AS sealedAt FROM job j JOIN log l ON l.job = j.seq WHERE j.id = ?`,
        id,
      )
      return row ?? null
    },
  }
}
