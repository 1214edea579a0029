import { within } from '#server/lib/within.ts'
import type { Fleet } from '#server/peers/index.ts'
import type { AwayRow, JobRow } from '#server/store/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import { type AttemptReport, type NodeId, overlay } from '#shared/model/index.ts'
import { createBringingHome, lost, refused, type Source } from './bringing-home.ts'
import type { Ended } from './conclude.ts'
import { createGiving, type Winner } from './giving.ts'
import { createHomeModels } from './home-models.ts'
import { FIRST_PAUSE_MS, LAST_PAUSE_MS, pause } from './pause.ts'
import type { JobDeps } from './ports.ts'
import { redactJson } from './record.ts'
import { believable } from './reports.ts'
import { stopKind } from './stop.ts'

/** How long one renewal waits for news, and how long for its answer in all, ms; less where leases are short. */
const WAIT_MS = 10_000
const ANSWER_MS = 25_000
/** Renewals that may hang, one after the other, before a lease has ended. */
const TRIES_A_LEASE = 3
/** The same once a cancel is asked for, ms. */
const CANCEL_WAIT_MS = 1_000
/** Tries to bring an end home from a node that answers. */
const MOST_TRIES = 20
/** How much later than the worker the home ends a lease: clocks differ in rate by much less. */
const MARGIN = 1.05
/** What a log may hold past its limit: the lines that say so. */
const LOG_SLACK_BYTES = 64 * 1024

/** Follows attempts of this node's jobs on other nodes. */
export interface Away {
  /** Gives the work to the winner and follows it to its end. `detached`: this node stops and the attempt goes on. */
  run(job: JobRow, winner: Winner, signal: AbortSignal): Promise<AwayEnd>
  /** Goes on following after a restart. */
  resume(job: JobRow, away: AwayRow, signal: AbortSignal): Promise<AwayEnd>
}

export interface AwayEnd {
  readonly job: JobRow
  readonly end: Ended | 'detached'
}

export function createAway(deps: JobDeps, fleet: Fleet): Away {
  const { store, logs, clock, settings, secrets, log } = deps
  const homeModels = createHomeModels(deps)
  const give = createGiving(deps, homeModels)
  const bringHome = createBringingHome(deps, homeModels)

  /** Brings over what a worker tells, each event once: how far it is known is written with it. */
  async function take(job: JobRow, away: AwayRow, report: AttemptReport): Promise<{ job: JobRow; away: AwayRow } | null> {
    const { events, state } = believable(report, job)
    const seen = report.events.at(-1)?.n ?? away.seen
    const moved = { ...away, seen }
    const written = await store.change({
      id: job.id,
      guard: { state: job.state, epoch: job.epoch },
      patch: state === job.state ? {} : { state },
      events: redactJson(events, secrets),
      at: clock.now(),
      away: moved,
    })
    return written ? { job: { ...job, state }, away: moved } : null
  }

  async function follow(start: JobRow, from: AwayRow, firstMark: number | null, signal: AbortSignal): Promise<AwayEnd> {
    const link = fleet.link(from.worker)
    const name = { jobId: start.id, epoch: start.epoch }
    const running = new AbortController()
    let [job, away, mark] = [start, from, firstMark]
    const finish = (end: AwayEnd['end']): AwayEnd => ({ job, end })
    if (!link) return finish(lost('The trust in the node that ran it has ended.'))
    const limits = overlay(settings.limits, start.spec.limits)
    const writer = await logs.writer(start.id, {
      maxBytes: from.logOffset + limits.logBytes + LOG_SLACK_BYTES,
      redact: bytes => bytes,
    })
    const source = { link, name, writer, logOffset: from.logOffset }
    let stream = startStream(source)
    const answering = homeModels
      .answer(start, () => fleet.link(from.worker), running.signal)
      .catch(error => log.error({ err: error, ...name }, 'Model calls of an attempt elsewhere could not be answered'))
    let heardAt = clock.monotonic()
    let pauseMs = FIRST_PAUSE_MS
    let tries = 0
    try {
      for (;;) {
        if (!fleet.link(from.worker)) return finish(lost('The trust in the node that ran it has ended.'))
        const stop = stopKind(signal)
        if (stop === 'shutdown') return finish('detached')
        const asked = clock.monotonic()
        try {
          const answerMs = Math.min(ANSWER_MS, settings.leaseMs / TRIES_A_LEASE)
          const waitMs = Math.floor(Math.min(stop === null ? WAIT_MS : CANCEL_WAIT_MS, answerMs / 2))
          const renewal = { leaseMs: settings.leaseMs, mark, after: away.seen, waitMs, cancel: stop === 'cancel' }
          const renew = (until: AbortSignal) => link.renew(name, renewal, until)
          const report = await within(clock, answerMs, signal.aborted ? null : signal, renew)
          heardAt = clock.monotonic()
          pauseMs = FIRST_PAUSE_MS
          mark = report.mark
          if (report.events.length > 0) {
            const taken = await take(job, away, report)
            if (!taken) return finish(lost('The job moved on without it.'))
            job = taken.job
            away = taken.away
          }
          if (report.end) {
            tries += 1
            running.abort()
            await Promise.all([stream.ended(LAST_PAUSE_MS), answering])
            return finish(await bringHome.end(job, { ...report, end: report.end }, source, signal))
          }
        } catch (error) {
          if (signal.aborted && stopKind(signal) === 'shutdown') return finish('detached')
          if (error instanceof ApiError && error.code === 'not_yours')
            return finish(lost(`${nameOf(from.worker)} does not run it: ${error.message}`))
          // Only a try that began after the lease had ended tells: a home that slept hears of everything it missed.
          if (asked - heardAt > settings.leaseMs * MARGIN)
            return finish(lost(`${nameOf(from.worker)} could not be reached for the length of its lease.`))
          if (tries >= MOST_TRIES) return finish(refused(`Its end could not be brought home: ${messageOf(error)}`))
          if (stop === 'cancel' && asked - heardAt > settings.graceMs) return finish({ kind: 'stopped', stop: 'cancel' })
          log.debug({ err: error, ...name }, 'A worker could not be reached; trying again')
          await pause(clock, pauseMs, signal)
          pauseMs = Math.min(2 * pauseMs, LAST_PAUSE_MS)
          // What broke the renewal broke the stream too, which may never say so: the node moved, or its packets got lost.
          await stream.stop()
          stream = startStream(source)
        }
      }
    } finally {
      running.abort()
      await Promise.all([stream.stop(), answering])
      await writer.close()
    }
  }

  function startStream(source: Source) {
    const over = new AbortController()
    const shipping = bringHome.log(source, over.signal)
    const stop = () => {
      over.abort()
      return shipping
    }
    return {
      stop,
      /** Waits for its end, but not for a connection that hangs: what is missing is asked for anew. */
      async ended(ms: number) {
        const cancel = clock.after(ms, () => over.abort())
        await shipping
        cancel()
      },
    }
  }

  const nameOf = (node: NodeId): string => fleet.cards().find(card => card.node === node)?.name ?? node

  return {
    async run(job, winner, signal) {
      const link = fleet.link(winner.node)
      const give_ = async () => {
        if (!link) throw new ApiError('peer_unknown', 'The trust in it has ended.')
        return give(job, winner, link, signal)
      }
      let mark: number
      try {
        mark = await give_()
      } catch (error) {
        if (stopKind(signal) === 'shutdown') return { job, end: 'detached' }
        if (signal.aborted) return { job, end: { kind: 'stopped', stop: 'cancel' } }
        return { job, end: lost(`The work could not be given to ${nameOf(winner.node)}: ${messageOf(error)}`) }
      }
      const away = await store.away(job.id)
      if (!away) throw new Error(`The attempt of job ${job.id} was forgotten`)
      return follow(job, away, mark, signal)
    },
    resume: (job, away, signal) => follow(job, away, null, signal),
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
