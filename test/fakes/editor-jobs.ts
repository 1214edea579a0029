import type { Translate } from '#extension/rows/row.ts'
import type { Clock } from '#extension/state/clock.ts'
import type { JobSource } from '#extension/state/jobs.ts'
import type { SpecTotal } from '#extension/state/spec-totals.ts'
import type { Job, JobState, JobSummary } from '#shared/model/index.ts'

/** Time that goes on when it is told to. */
export function manualClock(): Clock & { advance(ms: number): void } {
  let now = 0
  const timers = new Set<{ at: number; run: () => void }>()
  return {
    now: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run }
      timers.add(timer)
      return { dispose: () => timers.delete(timer) }
    },
    advance(ms) {
      now += ms
      for (const timer of [...timers].filter(({ at }) => at <= now)) {
        timers.delete(timer)
        timer.run()
      }
    },
  }
}

export const idOf = (number: number) => `job${String(number).padStart(11, '0')}`
export const at = (number: number) => new Date(Date.UTC(2026, 0, 1) + number * 1000).toISOString()
export const summary = (number: number, state: JobState, change: Partial<JobSummary> = {}): JobSummary => ({
  id: idOf(number),
  state,
  epoch: 1,
  title: `job ${number}`,
  createdAt: at(number),
  updatedAt: at(number),
  startedAt: state === 'queued' ? null : at(number),
  endedAt: null,
  failure: null,
  agent: 'builtin',
  priority: 0,
  repository: '/src/app',
  spec: null,
  ...change,
})
/** An orchestrator with so many jobs; its cursors are positions. */
export function sourceOf(all: readonly JobSummary[]): JobSource & { readonly asked: string[] } {
  const asked: string[] = []
  const newest = all.toSorted((a, b) => (a.createdAt < b.createdAt ? 1 : -1))
  const specOf = ({ spec, repository }: { spec: string | undefined; repository: string | null }) => `${spec}/${repository}`
  const bySpec = Map.groupBy(newest, ({ spec, repository }) => specOf({ spec: spec?.feature, repository }))
  return {
    asked,
    async list({ cursor, limit, ...listed }) {
      asked.push(`${'state' in listed ? listed.state : `${listed.spec} ${listed.repository}`} ${cursor ?? ''}`)
      const fitting = 'state' in listed ? newest.filter(job => job.state === listed.state) : (bySpec.get(specOf(listed)) ?? [])
      const from = Number(cursor ?? 0)
      return {
        items: fitting.slice(from, from + limit),
        nextCursor: fitting.length > from + limit ? String(from + limit) : null,
      }
    },
    async get(id) {
      asked.push(id)
      const found = all.find(job => job.id === id)
      if (!found) throw new Error('There is no such job')
      return {
        ...found,
        spec: { agent: found.agent, priority: 0, repository: { path: found.repository } },
        result: null,
      } as unknown as Job
    },
    async specs({ cursor, limit }) {
      asked.push(`specs ${cursor ?? ''}`)
      const counts = new Map<string, SpecTotal>()
      for (const { spec, repository } of all) {
        if (!spec || repository === null) continue
        const key = `${spec.feature}/${repository}`
        counts.set(key, { feature: spec.feature, repository, jobs: (counts.get(key)?.jobs ?? 0) + 1 })
      }
      const from = Number(cursor ?? 0)
      const items = [...counts.values()].slice(from, from + limit)
      return { items, nextCursor: counts.size > from + limit ? String(from + limit) : null }
    },
    events: async () => ({ items: [], nextCursor: null }),
  }
}

/** Texts as they stand in the code. */
export const plain: Translate = (message, ...values) => message.replaceAll(/\{(\d)\}/g, (_, at) => String(values[Number(at)]))
