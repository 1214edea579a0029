import { join } from 'node:path'
import type { JobId, PruneReport } from '#shared/model/index.ts'
import type { JobDeps } from './ports.ts'
import type { Space } from './space.ts'

const PAGE = 500
const HOUR_MS = 3_600_000

export interface Retention {
  /** Removes ended jobs older than `olderThanMs` and then, oldest first, until at most `keepBytes` are used. */
  prune(request: { olderThanMs?: number | undefined; keepBytes?: number | undefined; dryRun: boolean }): Promise<PruneReport>
  /** Prunes by age when an hour has passed since the last time; called where something just grew, so it needs no timer. */
  occasionally(): void
}

export function createRetention(deps: JobDeps, space: Space): Retention {
  const { store, logs, workspace, clock, directories, files, settings, log } = deps
  let last = clock.monotonic()

  async function remove(ids: readonly JobId[]): Promise<void> {
    // The rows go last: a crash in between leaves a job without its log, never files without an owner.
    await workspace.release(ids)
    for (const id of ids) {
      await logs.remove(id)
      await files.remove(join(directories.artifacts, id))
    }
    await store.remove(ids)
  }

  async function byAge(before: number, report: { jobs: number; logBytes: number }): Promise<void> {
    for (;;) {
      const page = await store.ended(before, PAGE)
      if (page.length === 0) return
      await remove(page.map(({ id }) => id))
      report.jobs += page.length
      report.logBytes += page.reduce((sum, job) => sum + job.logBytes, 0)
    }
  }

  async function bySize(keepBytes: number, report: { jobs: number; logBytes: number }): Promise<void> {
    while ((await space.used()) > keepBytes) {
      const page = await store.ended(Number.MAX_SAFE_INTEGER, 50)
      if (page.length === 0) return
      await remove(page.map(({ id }) => id))
      await workspace.collect()
      report.jobs += page.length
      report.logBytes += page.reduce((sum, job) => sum + job.logBytes, 0)
    }
  }

  /** What `prune` would remove. Of each job only its log is measured, so it may be fewer. */
  async function foretell(before: number, spare: number): Promise<{ jobs: number; logBytes: number }> {
    const report = { jobs: 0, logBytes: 0 }
    for (const { endedAt, logBytes } of await store.ended(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)) {
      if (endedAt >= before && report.logBytes >= spare) break
      report.jobs += 1
      report.logBytes += logBytes
    }
    return report
  }

  async function prune({ olderThanMs, keepBytes, dryRun }: Parameters<Retention['prune']>[0]): Promise<PruneReport> {
    const used = await space.used()
    const age = olderThanMs ?? (keepBytes === undefined ? settings.storage.keepEndedMs : undefined)
    const before = age === undefined ? 0 : clock.now() - age
    if (dryRun) {
      const report = await foretell(before, keepBytes === undefined ? 0 : used - keepBytes)
      return { ...report, freedBytes: report.logBytes, dryRun }
    }
    const report = { jobs: 0, logBytes: 0 }
    await byAge(before, report)
    if (keepBytes !== undefined) await bySize(keepBytes, report)
    await store.forgetIdempotency(clock.now() - settings.storage.idempotencyMs)
    if (report.jobs > 0) await workspace.collect()
    return { ...report, freedBytes: Math.max(0, used - (await space.used())), dryRun }
  }

  return {
    prune,
    occasionally() {
      if (clock.monotonic() - last < HOUR_MS) return
      last = clock.monotonic()
      prune({ dryRun: false }).catch(error => log.error({ err: error }, 'Failed to prune ended jobs'))
    },
  }
}
