import type { JobRow } from '#server/store/index.ts'
import type { Job, JobSummary } from '#shared/model/index.ts'

const time = (ms: number): string => new Date(ms).toISOString()
const timeOrNull = (ms: number | null): string | null => (ms === null ? null : time(ms))

export function presentJob(row: JobRow): Job {
  return {
    id: row.id,
    state: row.state,
    epoch: row.epoch,
    title: row.title,
    spec: row.spec,
    snapshot: row.snapshot,
    createdAt: time(row.createdAt),
    updatedAt: time(row.updatedAt),
    startedAt: timeOrNull(row.startedAt),
    endedAt: timeOrNull(row.endedAt),
    cancelRequested: row.cancelRequested,
    retryOf: row.retryOf,
    failure: row.failure,
    result: row.result,
  }
}

export function presentSummary(row: JobRow): JobSummary {
  return {
    id: row.id,
    state: row.state,
    epoch: row.epoch,
    title: row.title,
    createdAt: time(row.createdAt),
    updatedAt: time(row.updatedAt),
    startedAt: timeOrNull(row.startedAt),
    endedAt: timeOrNull(row.endedAt),
    failure: row.failure,
    agent: row.spec.agent,
    priority: row.priority,
    repository: row.spec.repository?.path ?? null,
    spec: row.spec.spec ?? null,
  }
}
