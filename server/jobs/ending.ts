import { isDiskFull } from '#server/lib/disk-full.ts'
import type { Change, JobRow } from '#server/store/index.ts'
import { WorkspaceError } from '#server/workspace/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import { isAttempt, type JobId } from '#shared/model/index.ts'
import type { Win } from './aside.ts'
import type { AsideLogs } from './aside-log.ts'
import { conclude, type Ended } from './conclude.ts'
import type { JobDeps } from './ports.ts'
import type { Unwritten } from './progress.ts'
import { redactJson } from './record.ts'

/** What is known after an attempt and was not before: what it teaches, and whether its node kept its promise. */
export type Learned = Pick<Change, 'lesson' | 'placement'>

/** The last steps of a job, each repeatable, so that a crash between any two of them is made good at the next start. */
export interface Ending {
  /**
   * Writes what an attempt's end makes of its job, and then delivers and seals; a result under an old epoch is refused and logged.
   * Rejects only when nothing was written.
   */
  settle(job: JobRow, end: Ended, unwritten?: Unwritten, learned?: Learned): Promise<void>
  /**
   * Ends a job by an attempt that was set aside, if it has not ended and is where it is said to be. @returns whether it did
   * @param newest the job with its newest attempt, which is over
   */
  settleByAside(newest: JobRow, win: Win, unwritten?: Unwritten): Promise<boolean>
  /** Says that an attempt that was set aside came too late. */
  refuseAside(win: Win): Promise<void>
  /** Brings an accepted result into the repository of the person who asked. */
  deliver(job: JobRow): Promise<void>
  /** Makes the log of an ended job final. */
  seal(id: JobId): Promise<void>
  /** Delivers the result of an ended job and seals its log; what a full disk keeps from it is done when there is room. Never rejects. */
  finish(id: JobId): Promise<void>
  /** What waits for room is left to the next start. Fulfils when nothing is under way that nobody else waits for. */
  stop(): Promise<void>
}

/** How long after a write for which there was no room it is tried again, ms. */
export const AGAIN_MS = 5_000

/** Whether there was no room for a write: there may be some later. */
export function lacksSpace(error: unknown): boolean {
  return error instanceof ApiError ? error.code === 'out_of_space' : isDiskFull(error)
}

/** @param isBusy whether other attempts run, whose writes what can wait may join */
export function createEnding(deps: JobDeps, asideLogs: AsideLogs, isBusy: () => boolean): Ending {
  const { store, logs, workspace, clock, secrets, log } = deps
  /** What cancels the wait for room of each job that has to be finished again. */
  const waiting = new Map<JobId, () => void>()
  const under = new Set<Promise<void>>()
  let isOver = false

  async function deliver(job: JobRow): Promise<void> {
    const { result, snapshot, spec } = job
    const patch = async (change: Pick<Change, 'patch' | 'events'>) => {
      await store.change({ id: job.id, guard: { state: job.state, epoch: job.epoch }, at: clock.now(), ...change })
    }
    if (!result?.commit || !snapshot || !spec.repository) return patch({ patch: { undelivered: false }, events: [] })
    try {
      const ref = await workspace.deliver(snapshot, result.commit, job.id, spec.repository.path)
      await patch({ patch: { undelivered: false, result: { ...result, ref } }, events: [{ type: 'result.delivered', ref }] })
    } catch (error) {
      if (!(error instanceof WorkspaceError)) throw error
      log.warn({ err: error, jobId: job.id }, 'The result could not be brought home; it stays in the cache of this node')
      const detail = secrets.redact(
        `${error.message} The result is kept by this node: \`skein diff ${job.id}\`, or artifact result.bundle.`,
      )
      await patch({ patch: { undelivered: false }, events: [{ type: 'warning', code: 'not_delivered', detail }] })
    }
  }

  function accept(job: JobRow, end: Ended, { from, events }: Unwritten, learned: Learned): Promise<boolean> {
    const change = conclude(job, end, clock.now())
    const whole = { ...change, guard: { ...change.guard, state: from }, events: [...events, ...change.events] }
    return store.change({ ...redactJson(whole, secrets), ...learned })
  }

  /** For an attempt whose moves could not all be written (a full disk): the job is still its own, but not where it left it. */
  async function acceptFromStored(attempt: JobRow, end: Ended, learned: Learned): Promise<boolean> {
    const job = await store.job(attempt.id)
    return job?.epoch === attempt.epoch && isAttempt(job.state) && accept(job, end, { from: job.state, events: [] }, learned)
  }

  async function refuse({ id, epoch }: Pick<JobRow, 'id' | 'epoch'>, end: Ended): Promise<void> {
    const job = await store.job(id)
    const reason = `Attempt ${epoch} ended (${end.kind}), but the job is ${job?.state ?? 'gone'} under epoch ${job?.epoch ?? 0}.`
    log.warn({ jobId: id, epoch }, reason)
    if (job) await store.append(id, [{ type: 'result.refused', epoch, reason }], clock.now())
  }

  async function seal(id: JobId): Promise<void> {
    const job = await store.job(id)
    const keepsBoth = job?.spec.disconnect?.kind === 'keep-both'
    if (keepsBoth) await asideLogs.join(job)
    await logs.seal(id, async ({ bytes, sha256 }) => {
      const row = { jobId: id, bytes, sha256, sealedAt: clock.now() }
      await store.sealLog(row, { type: 'log.sealed', bytes, sha256 }, { durable: !isBusy() })
    })
    if (keepsBoth) for (let epoch = 1; epoch <= job.epoch; epoch++) await asideLogs.forget({ jobId: id, epoch })
  }

  async function finish(id: JobId): Promise<void> {
    const job = await store.job(id)
    if (job?.undelivered) await deliver(job)
    if (job && job.endedAt !== null) await seal(job.id)
  }

  /** Whoever follows the job waits for this: with room on the disk again it must not take a restart. */
  async function finishSafely(id: JobId): Promise<void> {
    try {
      await finish(id)
    } catch (error) {
      const isForNow = lacksSpace(error) && !isOver
      const next = isForNow ? 'it is tried again' : 'the next start does'
      log.error({ err: error, jobId: id }, `Failed to deliver a result or seal a log; ${next}`)
      if (isForNow) finishLater(id)
    }
  }

  function finishLater(id: JobId): void {
    waiting.get(id)?.()
    const cancel = clock.after(AGAIN_MS, () => {
      waiting.delete(id)
      const again = finishSafely(id).finally(() => under.delete(again))
      under.add(again)
    })
    waiting.set(id, cancel)
  }

  return {
    deliver,
    seal,
    finish: finishSafely,
    async stop() {
      isOver = true
      for (const cancel of waiting.values()) cancel()
      waiting.clear()
      await Promise.all(under)
    },
    async settle(attempt, end, unwritten = { from: attempt.state, events: [] }, learned = {}) {
      // A person may have asked to cancel since the attempt last looked; that flag is part of the decision.
      const stored = await store.job(attempt.id)
      const expected = { ...attempt, cancelRequested: stored?.cancelRequested ?? attempt.cancelRequested }
      const isAccepted = (await accept(expected, end, unwritten, learned)) || (await acceptFromStored(attempt, end, learned))
      if (!isAccepted) return refuse(attempt, end)
      await finishSafely(attempt.id)
    },
    async settleByAside(newest, { row, end }, unwritten = { from: newest.state, events: [] }) {
      const result = await asideLogs.placed(row, end.result, row.logOffset)
      if (!(await accept(newest, { ...end, result }, unwritten, {}))) return false
      await finishSafely(newest.id)
      return true
    },
    async refuseAside({ row, end }) {
      await refuse({ id: row.jobId, epoch: row.epoch }, end)
    },
  }
}
