import { type CallQueue, preferModels } from '#server/gateway/index.ts'
import type { Lifetime } from '#server/lib/lifetime.ts'
import { messageOf } from '#server/lib/message-of.ts'
import type { Reservations } from '#server/placement/index.ts'
import type { HostedKey, Lesson } from '#server/store/index.ts'
import { WorkspaceError } from '#server/workspace/index.ts'
import type { AttemptEnd, Award } from '#shared/model/index.ts'
import { endOf, runAttempt } from './attempt.ts'
import { classOf, type Experience, isTelling } from './experience.ts'
import { attemptLogs, hostedJob, outbox } from './hosted-attempt.ts'
import type { createHostedFiles } from './hosted-files.ts'
import type { HomeOutflow } from './outflow.ts'
import type { Permissions } from './permissions.ts'
import type { JobDeps } from './ports.ts'
import { createProgress } from './progress.ts'
import { stopKind } from './stop.ts'
import { waitForSlot } from './waiting.ts'

/** The ways between an attempt and its home. */
export interface Ways {
  /** Model calls for the home to answer. */
  readonly calls: CallQueue
  readonly outflow: HomeOutflow
}

/** An attempt of another node's job that has a place here. */
export interface Hosted {
  readonly key: HostedKey
  readonly award: Award
  readonly ways: Ways
  /** Fulfils with the bundle that holds the snapshot. */
  readonly arrived: Promise<string>
  readonly signal: AbortSignal
  /** What is to be done after the attempt, however it ends. */
  readonly leftovers: Lifetime
}

/** Does the work of attempts of other nodes' jobs, from the snapshot that comes to the result that is ready to be fetched. Never rejects. */
export function createHostedWork(
  deps: JobDeps,
  parts: {
    reservations: Reservations
    permissions: Permissions
    experience: Experience
    travel: ReturnType<typeof createHostedFiles>
  },
) {
  const { clock, settings, workspace, hostedLogs, log } = deps
  const { hosted } = deps.store
  const { reservations, permissions, experience, travel } = parts
  return async ({ key, award, ways, arrived, signal, leftovers }: Hosted): Promise<{ end: AttemptEnd; lesson?: Lesson }> => {
    const { calls, outflow } = ways
    const job = hostedJob(key, award, settings.limits, clock.now())
    try {
      await travel.prepare(key)
      const bundle = await arrived
      signal.throwIfAborted()
      if (job.snapshot) await workspace.receive(bundle, job.snapshot, job.id, { maxBytes: settings.limits.diskBytes })
      const never = await waitForSlot({ clock, reservations }, award.bidId, award.startWithinMs, signal)
      if (never) return { end: never }
      const begun = clock.monotonic()
      const models = preferModels({ ...award.models, worker: deps.sharedModels, home: calls.home })
      const logs = attemptLogs(hostedLogs, key, award.logOffset, outflow)
      const own = { ...deps, models, store: outbox(key, hosted, outflow), logs, outflow, isGuest: true }
      const progress = createProgress({ job, store: own.store, clock })
      const end = await runAttempt(progress, own, permissions, signal, leftovers)
      progress.flush()
      if (end.kind === 'result' && end.result.commit !== null && job.snapshot)
        await workspace.bundle(job.snapshot, end.result.commit, `refs/skein/jobs/${job.id}`, travel.resultOf(key))
      const ran = { ...classOf(job.spec, job.snapshot), ms: clock.monotonic() - begun }
      return { end, lesson: isTelling(end) ? experience.learn({ ran }) : {} }
    } catch (error) {
      if (stopKind(signal)) return { end: endOf(error, signal) }
      const code = error instanceof WorkspaceError ? 'snapshot_failed' : 'internal'
      if (code === 'internal') log.error({ err: error, ...key }, 'An attempt of another node failed inside the server')
      return { end: { kind: 'failed', failure: { code, detail: messageOf(error) } } }
    }
  }
}
