import { within } from '#server/lib/within.ts'
import type { AwayRow, JobRow } from '#server/store/index.ts'
import { type AttemptReport, isEnd, LONGEST_AWAY_MS, overlay } from '#shared/model/index.ts'
import type { AsideLogs } from './aside-log.ts'
import { type BringingHome, logSafe, type Source } from './bringing-home.ts'
import type { Ended } from './conclude.ts'
import { isAnswer } from './giving.ts'
import type { HomeModels } from './home-models.ts'
import { MARGIN } from './lease.ts'
import { type LogStream, startLogStream } from './log-stream.ts'
import { FIRST_PAUSE_MS, LAST_PAUSE_MS, pause } from './pause.ts'
import type { JobDeps } from './ports.ts'
import { redactJson } from './record.ts'
import { believable } from './reports.ts'
import { Stop } from './stop.ts'

const WAIT_MS = 10_000
const ANSWER_MS = 25_000
const LOG_SLACK_BYTES = 64 * 1024

/** A complete result of an attempt that its job had gone on without. */
export interface Win {
  readonly row: AwayRow
  readonly end: Extract<Ended, { kind: 'result' }>
}

/**
 * Follows attempts that their jobs went on without, because their nodes were not heard of, and that may still finish: what they
 * tell is kept, and the first complete result of a job wins. One that ends without a result is given up.
 */
export interface Aside {
  /** Follows those that were set aside since. */
  wake(): void
  start(): void
  stop(): Promise<void>
}

export interface AsideParts {
  readonly bringHome: BringingHome
  readonly homeModels: HomeModels
  readonly asideLogs: AsideLogs
  /** Ends the newest attempt of a job, and the job by this one, unless it has ended. */
  readonly win: (win: Win) => Promise<void>
  /** Something was given up. */
  readonly dropped: () => void
}

export function createAside(deps: JobDeps, { bringHome, homeModels, asideLogs, win, dropped }: AsideParts): Aside {
  const { store, fleet, clock, settings, secrets, log } = deps
  const following = new Map<string, Promise<void>>()
  const closing = new AbortController()
  let isOpen = false

  const keyOf = ({ jobId, epoch }: AwayRow): string => `${jobId}.${epoch}`
  const isStillAside = async ({ jobId, epoch }: AwayRow): Promise<boolean> =>
    (await store.aside(jobId)).some(row => row.epoch === epoch)

  async function giveUp(row: AwayRow, reason: string): Promise<void> {
    await store.dropAside(row, { type: 'attempt.lost', epoch: row.epoch, reason }, clock.now())
    dropped()
  }

  async function follow(row: AwayRow): Promise<void> {
    const job = await store.job(row.jobId)
    if (!job || isEnd(job.state)) return
    const over = new AbortController()
    const end = () => over.abort()
    closing.signal.addEventListener('abort', end, { once: true })
    const attempt: JobRow = { ...job, epoch: row.epoch }
    const limits = overlay(settings.limits, job.spec.limits)
    const writer = await asideLogs.writer(row, limits.logBytes + LOG_SLACK_BYTES)
    const sourceNow = (): Source | null => {
      const link = fleet.link(row.worker)
      return link && { link, name: { jobId: job.id, epoch: row.epoch }, writer, logOffset: asideLogs.beginOf(row.epoch) }
    }
    const stream = startLogStream({ clock, bringHome }, sourceNow)
    const answering = homeModels
      .answer(attempt, () => fleet.link(row.worker), over.signal)
      .catch(error => log.error({ err: error, jobId: job.id }, 'Model calls of an attempt elsewhere could not be answered'))
    try {
      await hear(attempt, row, writer, stream, over.signal)
    } finally {
      closing.signal.removeEventListener('abort', end)
      over.abort()
      await Promise.all([answering, stream.stop()])
      await writer.close()
      await bringHome.forget(attempt)
      if (!(await isStillAside(row))) await forgetUnlessWon(row)
    }
  }

  /** The log of the one that won is needed until the job's log is sealed, which forgets it. */
  async function forgetUnlessWon(row: AwayRow): Promise<void> {
    const job = await store.job(row.jobId)
    if (job?.result?.epoch !== row.epoch) await asideLogs.forget(row)
  }

  async function hear(
    job: JobRow,
    start: AwayRow,
    writer: Source['writer'],
    stream: LogStream,
    signal: AbortSignal,
  ): Promise<void> {
    const { worker } = start
    const name = { jobId: job.id, epoch: job.epoch }
    let row = start
    let mark: number | null = null
    let heardAt = clock.monotonic()
    let ms = FIRST_PAUSE_MS
    while (!signal.aborted && (await isStillAside(row))) {
      const link = fleet.link(worker)
      if (!link) return giveUp(row, 'The trust in the node that ran it has ended.')
      const asked = clock.monotonic()
      const source: Source = { link, name, writer, logOffset: asideLogs.beginOf(job.epoch) }
      try {
        const renewal = {
          leaseMs: LONGEST_AWAY_MS,
          mark,
          after: row.seen,
          logSafe: logSafe(source),
          waitMs: WAIT_MS,
          cancel: false,
        }
        const report: AttemptReport = await within(clock, ANSWER_MS, signal, until => link.renew(name, renewal, until))
        heardAt = clock.monotonic()
        mark = report.mark
        await stream.owes(source.logOffset + report.logBytes - writer.offset, writer.offset)
        ms = FIRST_PAUSE_MS
        if (report.events.length > 0) {
          row = { ...row, seen: report.events.at(-1)?.n ?? row.seen }
          const { events } = believable(report, { state: job.state, epoch: job.epoch })
          const told = events.filter(({ type }) => type !== 'job.state')
          if (!(await store.appendAside(row, redactJson(told, secrets), clock.now()))) return
        }
        if (!report.end) continue
        await stream.ended(LAST_PAUSE_MS)
        const end = await bringHome.end(job, { ...report, end: report.end }, source, signal)
        if (end.kind === 'result') return await win({ row, end })
        return await giveUp(row, `It ended without a result: ${whyOf(end)}`)
      } catch (error) {
        if (signal.aborted) return
        if (isAnswer(error) && error.code === 'not_yours') return giveUp(row, `Its node does not run it: ${error.message}`)
        if (asked - heardAt > LONGEST_AWAY_MS * MARGIN) return giveUp(row, 'Its node was not heard of any more.')
        log.debug({ err: error, ...name }, 'The node of an attempt that is set aside could not be reached; trying again')
        await pause(clock, ms, signal)
        ms = Math.min(2 * ms, LAST_PAUSE_MS)
        await stream.restart()
      }
    }
  }

  async function followNew(): Promise<void> {
    for (const row of await store.aside()) {
      const key = keyOf(row)
      if (following.has(key) || !isOpen) continue
      const done = follow(row)
        .catch(error => log.error({ err: error, ...row }, 'An attempt that is set aside could not be followed'))
        .finally(() => following.delete(key))
      following.set(key, done)
    }
  }

  function wake(): void {
    if (isOpen) void followNew().catch(error => log.error({ err: error }, 'Failed to look for attempts that are set aside'))
  }

  return {
    wake,
    start() {
      isOpen = true
      wake()
    },
    async stop() {
      isOpen = false
      closing.abort(new Stop('shutdown'))
      await Promise.all(following.values())
    },
  }
}

function whyOf(end: Exclude<Ended, { kind: 'result' }>): string {
  switch (end.kind) {
    case 'failed':
      return end.failure.detail
    case 'stopped':
      return `it was stopped (${end.stop}).`
    case 'lost':
    case 'returned':
    case 'aside':
      return end.reason
  }
}
