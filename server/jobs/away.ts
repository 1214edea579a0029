import { messageOf } from '#server/lib/message-of.ts'
import { within } from '#server/lib/within.ts'
import type { Fleet, PeerLink } from '#server/peers/index.ts'
import type { AwayRow, JobRow } from '#server/store/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import { type AttemptReport, type NodeId, overlay } from '#shared/model/index.ts'
import { type BringingHome, logSafe, lost, refused } from './bringing-home.ts'
import type { Ended } from './conclude.ts'
import { createGiving, type Given, isAnswer, type Winner } from './giving.ts'
import type { HomeModels } from './home-models.ts'
import { leaseTerms } from './lease.ts'
import { startLogStream } from './log-stream.ts'
import { FIRST_PAUSE_MS, LAST_PAUSE_MS, pause } from './pause.ts'
import type { JobDeps } from './ports.ts'
import { redactJson } from './record.ts'
import { believable, createEar, longestMs, MOST_TOLD } from './reports.ts'
import { stopKind } from './stop.ts'
import { createStopwatch, type Times } from './stopwatch.ts'

/** How long one renewal waits for news, and how long for its answer in all, ms; less where leases are short. */
const WAIT_MS = 10_000
const ANSWER_MS = 25_000
/** Renewals that may hang, one after the other, before a lease has ended. */
const TRIES_A_LEASE = 3
/** The same once a cancel is asked for, ms. */
const CANCEL_WAIT_MS = 1_000
/** Tries to bring an end home from a node that answers. */
const MOST_TRIES = 20
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
  /** From the work's arrival there to its start, and from there to its end, ms; null where this node did not see all of it. */
  readonly times: Times | null
}

export function createAway(
  deps: JobDeps,
  { fleet, bringHome, homeModels }: { fleet: Fleet; bringHome: BringingHome; homeModels: HomeModels },
): Away {
  const { store, logs, clock, settings, secrets, log } = deps
  const giving = createGiving(deps, homeModels)

  /** Brings over what a worker tells, each event once: how far it is known is written with it. */
  async function take(job: JobRow, away: AwayRow, report: AttemptReport): Promise<{ job: JobRow; away: AwayRow } | null> {
    const { events, state, refused: untrue } = believable(report, job)
    if (untrue > 0)
      log.warn({ jobId: job.id, epoch: job.epoch, worker: away.worker, events: untrue }, 'A worker told what is not its to tell')
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

  async function termsOf({ id, spec, losses }: JobRow) {
    const isLast = losses + 1 >= spec.maxAttempts
    const hasAside = spec.disconnect?.kind === 'keep-both' && (await store.aside(id)).length > 0
    return leaseTerms(settings.leaseMs, { disconnect: spec.disconnect, isLast, hasAside })
  }

  async function follow(start: JobRow, from: AwayRow, given: Given | null, signal: AbortSignal): Promise<AwayEnd> {
    const { worker } = from
    const name = { jobId: start.id, epoch: start.epoch }
    const running = new AbortController()
    const trust = watchTrust(worker)
    const watch = createStopwatch(clock, given !== null)
    const shipping = startShipping(given, worker, watch.arrived)
    const { logBytes } = overlay(settings.limits, start.spec.limits)
    const writer = await logs.writer(start.id, {
      maxBytes: from.logOffset + logBytes + LOG_SLACK_BYTES,
      redact: bytes => bytes,
    })
    const stream = startLogStream({ clock, bringHome }, () => {
      const link = fleet.link(worker)
      return link && { link, name, writer, logOffset: from.logOffset }
    })
    const answering = homeModels
      .answer(start, () => fleet.link(worker), running.signal)
      .catch(error => log.error({ err: error, ...name }, 'Model calls of an attempt elsewhere could not be answered'))
    let [job, away, mark] = [start, from, given?.mark ?? null]
    const finish = (end: AwayEnd['end']): AwayEnd => ({ job, end, times: watch.times() })
    const begunAt = clock.monotonic()
    const longest = longestMs(start.spec, overlay(settings.timeouts, start.spec.timeouts), settings.leaseMs)
    const isShort = createEar(MOST_TOLD)
    let heardAt = begunAt
    let pauseMs = FIRST_PAUSE_MS
    let tries = 0
    try {
      for (;;) {
        const link = fleet.link(worker)
        // Once it has ended it stays so for this attempt, which the node may have stopped.
        if (!link || trust.signal.aborted) return finish(lost('The trust in the node that ran it has ended.'))
        if (shipping.problem) return finish(notGiven(shipping.problem, nameOf(worker)))
        const stop = stopKind(signal)
        if (stop === 'shutdown') return finish('detached')
        const terms = await termsOf(start)
        const asked = clock.monotonic()
        if (asked - begunAt > longest + terms.waitMs)
          return finish(lost(`${nameOf(worker)} did not end it in the time that its limits allow.`))
        try {
          const answerMs = Math.min(ANSWER_MS, Math.floor(settings.leaseMs / TRIES_A_LEASE))
          const waitMs = Math.floor(Math.min(stop === null ? WAIT_MS : CANCEL_WAIT_MS, answerMs / 2))
          const safe = logSafe({ writer, logOffset: from.logOffset })
          const renewal = { leaseMs: terms.leaseMs, mark, after: away.seen, logSafe: safe, waitMs, cancel: stop === 'cancel' }
          const until = AbortSignal.any([...(signal.aborted ? [] : [signal]), trust.signal, shipping.failed])
          const report = await within(clock, answerMs, until, end => link.renew(name, renewal, end))
          refuseOther(report, name, link)
          heardAt = clock.monotonic()
          pauseMs = FIRST_PAUSE_MS
          mark = report.mark
          if (!isShort(report)) return finish(refused(`${nameOf(worker)} tells more than ${MOST_TOLD} characters of it.`))
          await stream.owes(from.logOffset + report.logBytes - writer.offset, writer.offset)
          if (report.events.length > 0) {
            const taken = await take(job, away, report)
            if (!taken) return finish(lost('The job moved on without it.'))
            job = taken.job
            away = taken.away
          }
          watch.heard(job.state, report.end !== null)
          if (report.end) {
            tries += 1
            running.abort()
            await Promise.all([stream.ended(LAST_PAUSE_MS), answering])
            const source = { link, name, writer, logOffset: from.logOffset }
            return finish(await bringHome.end(job, { ...report, end: report.end }, source, signal))
          }
        } catch (error) {
          watch.missed()
          if (signal.aborted && stopKind(signal) === 'shutdown') return finish('detached')
          if (trust.signal.aborted || shipping.problem) continue
          if (isAnswer(error) && error.code === 'not_yours')
            return finish(lost(`${nameOf(worker)} does not run it: ${error.message}`))
          // Only a try that began after the lease had ended tells: a home that slept hears of everything it missed.
          // What has not begun, as far as is known, waits for a snapshot that nobody would send once it is set aside.
          const outcome = job.state === 'placing' ? 'lost' : terms.outcome
          if (asked - heardAt > terms.waitMs) return finish(unheard(outcome, nameOf(worker)))
          if (tries >= MOST_TRIES) return finish(refused(`Its end could not be brought home: ${messageOf(error)}`))
          if (stop === 'cancel' && asked - heardAt > settings.graceMs) return finish({ kind: 'stopped', stop: 'cancel' })
          log.debug({ err: error, ...name }, 'A worker could not be reached; trying again')
          await pause(clock, pauseMs, signal)
          pauseMs = Math.min(2 * pauseMs, LAST_PAUSE_MS)
          // What broke the renewal broke the stream too, which may never say so: the node moved, or its packets got lost.
          await stream.restart()
        }
      }
    } finally {
      if (trust.signal.aborted) void trust.last?.settle(name).catch(() => {})
      trust.stop()
      running.abort()
      await Promise.all([shipping.stop(), stream.stop(), answering])
      await bringHome.forget(job)
      await writer.close()
    }
  }

  /** A node answers for the attempt it was asked about, and no other; one that goes on with an old one is told to stop. */
  function refuseOther({ epoch }: AttemptReport, name: { jobId: string; epoch: number }, link: PeerLink): void {
    if (epoch === undefined || epoch === name.epoch) return
    log.warn({ ...name, told: epoch }, 'A node told of another attempt than it was asked about; it was refused')
    void link.settle({ jobId: name.jobId, epoch }).catch(() => {})
    throw new Error(`It told of attempt ${epoch}`)
  }

  /** A signal that aborts when the trust in a node ends, and the last way to it, to say so. */
  function watchTrust(node: NodeId) {
    const over = new AbortController()
    let last = fleet.link(node)
    const look = () => {
      const link = fleet.link(node)
      if (link) last = link
      else over.abort()
    }
    const stop = fleet.onChange(look)
    return {
      signal: over.signal,
      stop,
      get last() {
        return last
      },
    }
  }

  /** Sends the snapshot while the attempt is followed, which keeps its lease alive however long that takes. */
  function startShipping(given: Given | null, node: NodeId, arrived: () => void) {
    const over = new AbortController()
    const failed = new AbortController()
    const shipping = { problem: null as Error | null, failed: failed.signal, stop: async () => {} }
    const sent = given
      ?.ship?.(() => fleet.link(node), over.signal)
      .then(arrived, error => {
        shipping.problem = error instanceof Error ? error : new Error(String(error))
        failed.abort()
      })
    if (!sent) arrived()
    shipping.stop = async () => {
      over.abort()
      await sent
    }
    return shipping
  }

  const nameOf = (node: NodeId): string => fleet.who(node).name

  return {
    async run(job, winner, signal) {
      let given: Given
      try {
        given = await giving.give(job, winner, () => fleet.link(winner.node), signal)
      } catch (error) {
        const ended = (end: AwayEnd['end']): AwayEnd => ({ job, end, times: null })
        if (stopKind(signal) === 'shutdown') return ended('detached')
        if (signal.aborted) return ended({ kind: 'stopped', stop: 'cancel' })
        const reason = `The work could not be given to ${nameOf(winner.node)}: ${messageOf(error)}`
        return ended(isAnswer(error) ? { kind: 'returned', reason } : lost(reason))
      }
      const away = await store.away(job.id)
      if (!away) throw new Error(`The attempt of job ${job.id} was forgotten`)
      return follow(job, away, given, signal)
    },
    async resume(job, away, signal) {
      const link = () => fleet.link(away.worker)
      if (job.state !== 'placing' || job.snapshot === null) return follow(job, away, null, signal)
      const { waitMs } = await termsOf(job)
      let given: Given | null = null
      try {
        given = await giving.again(job, away, link, waitMs, signal)
      } catch (error) {
        // Should it come back after that, it would wait for a snapshot that nobody sends. Of a no, and of a stop, who follows it learns.
        if (!signal.aborted && !isAnswer(error)) return { job, end: unheard('lost', nameOf(away.worker)), times: null }
      }
      return follow(job, away, given, signal)
    },
  }
}

const unheard = (outcome: 'lost' | 'aside', name: string): Ended => {
  const reason = `${name} could not be reached for the length of its lease.`
  return outcome === 'lost' ? lost(reason) : { kind: 'aside', reason }
}

/** Too large for one node is no accident that another try would mend. */
function notGiven(problem: Error, name: string): Ended {
  const detail = `Its snapshot could not be given to ${name}: ${problem.message}`
  if (!(problem instanceof ApiError) || problem.code !== 'body_too_large') return lost(detail)
  const { remedy = 'Run it on another node (--not-on).' } = problem.extras
  return { kind: 'failed', failure: { code: 'snapshot_failed', detail, remedy } }
}
