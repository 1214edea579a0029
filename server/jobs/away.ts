import { createWriteStream } from 'node:fs'
import { mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { LogWriter } from '#server/logs/index.ts'
import type { Fleet, PeerLink } from '#server/peers/index.ts'
import type { AwayRow, JobRow } from '#server/store/index.ts'
import { WorkspaceError } from '#server/workspace/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import { type AttemptEnd, type AttemptReport, type Award, type NodeId, overlay } from '#shared/model/index.ts'
import type { JobDeps } from './ports.ts'
import { redactJson } from './record.ts'
import { believable } from './reports.ts'
import { stopKind } from './stop.ts'

/** How long one renewal waits for news, ms; short against a lease. */
const WAIT_MS = 10_000
/** Pauses between tries to reach a node, ms: doubled from the first to the last. */
const FIRST_PAUSE_MS = 250
const LAST_PAUSE_MS = 5_000
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
  run(job: JobRow, winner: { node: NodeId; bidId: string; haves: readonly string[] }, signal: AbortSignal): Promise<AwayEnd>
  /** Goes on following after a restart. */
  resume(job: JobRow, away: AwayRow, signal: AbortSignal): Promise<AwayEnd>
}

export interface AwayEnd {
  readonly job: JobRow
  readonly end: AttemptEnd | 'detached'
  /** The home has all it needs. */
  settled(): void
}

export function createAway(deps: JobDeps, fleet: Fleet): Away {
  const { store, logs, clock, settings, workspace, directories, secrets, log } = deps

  async function give(
    job: JobRow,
    winner: { node: NodeId; bidId: string; haves: readonly string[] },
    link: PeerLink,
    signal: AbortSignal,
  ): Promise<number> {
    const { id: jobId, epoch, title, spec, snapshot } = job
    const logOffset = await logs.size(jobId)
    // Written first: from here on the attempt may run there, whatever happens here.
    const away: AwayRow = { jobId, epoch, worker: winner.node, seen: 0, logOffset }
    await store.change({ id: jobId, guard: { state: job.state, epoch }, patch: {}, events: [], at: clock.now(), away })
    const award: Award = {
      bidId: winner.bidId,
      jobId,
      epoch,
      leaseMs: settings.leaseMs,
      logOffset,
      title,
      spec: withoutPaths(spec),
      snapshot,
    }
    const { mark, needsSnapshot } = await link.award(award, signal)
    if (needsSnapshot && snapshot) {
      const directory = join(directories.attempts, `${jobId}.${epoch}`)
      await mkdir(directory, { recursive: true, mode: 0o700 })
      try {
        const file = join(directory, 'snapshot.bundle')
        const { bytes, sha256 } = await workspace.pack(snapshot, winner.haves, file)
        await link.shipSnapshot({ jobId, epoch }, { file, bytes, sha256 }, signal)
      } finally {
        await rm(directory, { recursive: true, force: true })
      }
    }
    return mark
  }

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
    const over = new AbortController()
    const settled = () => void link?.settle(name).catch(error => log.debug({ err: error }, 'A worker could not be told'))
    let [job, away, mark] = [start, from, firstMark]
    const finish = (end: AwayEnd['end']): AwayEnd => ({ job, end, settled })
    if (!link) return finish(lost('The trust in the node that ran it has ended.'))
    const limits = overlay(settings.limits, start.spec.limits)
    const writer = await logs.writer(start.id, {
      maxBytes: from.logOffset + limits.logBytes + LOG_SLACK_BYTES,
      redact: bytes => bytes,
    })
    const shipping = shipLog(link, name, writer, from.logOffset, over.signal)
    let heardAt = clock.monotonic()
    let pause = FIRST_PAUSE_MS
    let tries = 0
    try {
      for (;;) {
        if (!fleet.link(from.worker)) return finish(lost('The trust in the node that ran it has ended.'))
        const stop = stopKind(signal)
        if (stop === 'shutdown') return finish('detached')
        const asked = clock.monotonic()
        try {
          const waitMs = stop === null ? WAIT_MS : CANCEL_WAIT_MS
          const report = await link.renew(
            name,
            { leaseMs: settings.leaseMs, mark, after: away.seen, waitMs, cancel: stop === 'cancel' },
            signal.aborted ? AbortSignal.timeout(WAIT_MS) : signal,
          )
          heardAt = clock.monotonic()
          pause = FIRST_PAUSE_MS
          mark = report.mark
          if (report.events.length > 0) {
            const taken = await take(job, away, report)
            if (!taken) return finish(lost('The job moved on without it.'))
            job = taken.job
            away = taken.away
          }
          if (report.end) {
            tries += 1
            await shipping
            return finish(await whole(job, report, report.end, { link, writer, logOffset: from.logOffset, signal }))
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
          await sleep(pause, signal)
          pause = Math.min(2 * pause, LAST_PAUSE_MS)
        }
      }
    } finally {
      over.abort()
      await shipping
      await writer.close()
    }
  }

  const nameOf = (node: NodeId): string => fleet.cards().find(card => card.node === node)?.name ?? node

  /** Waits for the rest of the log and for the commit, so that the end that is accepted is all there. */
  async function whole(
    job: JobRow,
    report: AttemptReport,
    end: AttemptEnd,
    parts: { link: PeerLink; writer: LogWriter; logOffset: number; signal: AbortSignal },
  ): Promise<AttemptEnd> {
    const { link, writer, logOffset, signal } = parts
    // The stream may have ended before the attempt did.
    if (writer.offset < logOffset + report.logBytes)
      await shipLog(link, { jobId: job.id, epoch: job.epoch }, writer, logOffset, signal)
    await writer.flush()
    if (writer.dropped === 0 && writer.offset < logOffset + report.logBytes)
      throw new Error(`Its log has ${report.logBytes} bytes, of which ${writer.offset - logOffset} came`)
    if (end.kind === 'stopped' && (end.stop === 'lease' || end.stop === 'shutdown'))
      return lost(
        end.stop === 'lease' ? 'Its lease ended before this node was heard of again.' : 'The node that ran it was stopped.',
      )
    if (end.kind !== 'result') return end
    const result = {
      ...end.result,
      epoch: job.epoch,
      snapshot: job.snapshot?.commit ?? null,
      ref: null,
      logBytes: await writer.flush(),
    }
    if (result.commit === null || !job.snapshot) return { ...end, result }
    const directory = join(directories.attempts, `${job.id}.${job.epoch}`)
    const file = join(directory, 'result.bundle')
    await mkdir(directory, { recursive: true, mode: 0o700 })
    try {
      await fetchResult(link, { jobId: job.id, epoch: job.epoch }, file, signal)
      const maxBytes = overlay(settings.limits, job.spec.limits).diskBytes
      const { commit } = await workspace.receiveResult(file, job.snapshot, job.id, job.epoch, { maxBytes })
      if (commit !== result.commit) return refused(`The node says its result is ${result.commit} and sent ${commit}.`)
      const leaks = await workspace.findInResult(job.snapshot, commit, secrets.forms())
      if (leaks.length > 0) return refused(`The result contains a secret of this node in: ${leaks.slice(0, 10).join(', ')}.`)
      return { ...end, result }
    } catch (error) {
      if (error instanceof WorkspaceError) return refused(error.message)
      throw error
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  }

  /** Log bytes as they come, from where the file ends, until the attempt's log does. */
  async function shipLog(
    link: PeerLink,
    name: { jobId: string; epoch: number },
    writer: LogWriter,
    logOffset: number,
    signal: AbortSignal,
  ): Promise<void> {
    for (let pause = FIRST_PAUSE_MS; !signal.aborted; pause = Math.min(2 * pause, LAST_PAUSE_MS)) {
      try {
        for await (const piece of link.log(name, writer.offset - logOffset, signal)) {
          await writer.write(piece)
          pause = FIRST_PAUSE_MS
          if (writer.dropped > 0) return
        }
        return
      } catch (error) {
        if (error instanceof ApiError && error.code === 'not_yours') return
        await sleep(pause, signal)
      }
    }
  }

  async function fetchResult(
    link: PeerLink,
    name: { jobId: string; epoch: number },
    file: string,
    signal: AbortSignal,
  ): Promise<void> {
    const have = await stat(file).then(
      ({ size }) => size,
      () => 0,
    )
    await pipeline(Readable.from(link.result(name, have, signal)), createWriteStream(file, { flags: 'a', mode: 0o600 }))
  }

  function sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const cancel = clock.after(ms, done)
      function done() {
        cancel()
        signal.removeEventListener('abort', done)
        resolve()
      }
      if (signal.aborted && stopKind(signal) === 'shutdown') done()
      else signal.addEventListener('abort', done, { once: true })
    })
  }

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
        if (stopKind(signal) === 'shutdown') return { job, end: 'detached', settled: () => {} }
        const settled = () => void link?.settle({ jobId: job.id, epoch: job.epoch }).catch(() => {})
        if (signal.aborted) return { job, end: { kind: 'stopped', stop: 'cancel' }, settled }
        const why = error instanceof Error ? error.message : String(error)
        return { job, end: lost(`The work could not be given to ${nameOf(winner.node)}: ${why}`), settled }
      }
      const away = await store.away(job.id)
      if (!away) throw new Error(`The attempt of job ${job.id} was forgotten`)
      return follow(job, away, mark, signal)
    },
    resume: (job, away, signal) => follow(job, away, null, signal),
  }
}

const lost = (reason: string): AttemptEnd => ({ kind: 'lost', reason })
const refused = (detail: string): AttemptEnd => ({
  kind: 'failed',
  failure: { code: 'result_refused', detail, remedy: 'Retry the job, on another node (--not-on).' },
})

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Where a repository lies on this machine is nobody else's business. */
function withoutPaths(spec: Award['spec']): Award['spec'] {
  return spec.repository ? { ...spec, repository: { ...spec.repository, path: '/' } } : spec
}
