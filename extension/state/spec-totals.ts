import type { JobId, JobSummary } from '#shared/model/index.ts'
import { type SpecKey, specKeyOf } from './job-specs.ts'

/** How many jobs a feature of a work tree has. */
export interface SpecTotal {
  readonly feature: string
  readonly repository: string
  readonly jobs: number
}

/** Specs that there are jobs for, as the orchestrator counted them, and what came since. */
export interface SpecTotals {
  /** Whether they were asked for, with or without success. */
  readonly isRead: boolean
  keys(): Iterable<SpecKey>
  /** Undefined for one that was not there. */
  of(spec: SpecKey): number | undefined
  learn(totals: readonly SpecTotal[]): void
  /** A job that did not exist when they were read. */
  begin(id: JobId): void
  /** The job stands where `now` says: of those that began since, it is counted there. */
  move(before: JobSummary | undefined, now: JobSummary): void
  clear(): void
}

export function createSpecTotals(): SpecTotals {
  const totals = new Map<SpecKey, number>()
  const fresh = new Set<JobId>()
  let isRead = false

  function add(spec: SpecKey, jobs: number): void {
    const sum = (totals.get(spec) ?? 0) + jobs
    if (sum > 0) totals.set(spec, sum)
    else totals.delete(spec)
  }
  return {
    get isRead() {
      return isRead
    },
    keys: () => totals.keys(),
    of: spec => totals.get(spec),
    learn(read) {
      isRead = true
      for (const spec of read)
        add(specKeyOf({ spec: { feature: spec.feature, task: '' }, repository: spec.repository }), spec.jobs)
    },
    begin(id) {
      if (isRead) fresh.add(id)
    },
    move(before, now) {
      if (!fresh.has(now.id)) return
      const [from, to] = [before && specKeyOf(before), specKeyOf(now)]
      if (from === to) return
      if (from !== undefined) add(from, -1)
      add(to, 1)
    },
    clear() {
      totals.clear()
      fresh.clear()
      isRead = false
    },
  }
}
