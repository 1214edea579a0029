import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { pieces } from '#server/lib/files.ts'
import { giveBack } from '#server/lib/give-back.ts'
import { unlessSilent } from '#server/lib/silence.ts'
import type { LogWriter } from '#server/logs/index.ts'
import type { AttemptName, PeerLink } from '#server/peers/index.ts'
import type { JobRow } from '#server/store/index.ts'
import { WorkspaceError } from '#server/workspace/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import { type AttemptEnd, type AttemptReport, overlay } from '#shared/model/index.ts'
import type { Ended } from './conclude.ts'
import type { HomeModels } from './home-models.ts'
import { FIRST_PAUSE_MS, LAST_PAUSE_MS, pause } from './pause.ts'
import type { JobDeps } from './ports.ts'
import { contradiction } from './reports.ts'

/** A log that says nothing may have nothing to say, or its connection is gone: after so long it is asked for anew, ms. */
const LOG_SILENCE_MS = 60_000
/** A result is all there when it is asked for. */
const RESULT_SILENCE_MS = 30_000

/** An attempt on another node, and what its home needs to get what it leaves. */
export interface Source {
  readonly link: PeerLink
  readonly name: AttemptName
  readonly writer: LogWriter
  /** Where the attempt's log begins in the job's. */
  readonly logOffset: number
}

export const lost = (reason: string): AttemptEnd => ({ kind: 'lost', reason })
export const refused = (detail: string): AttemptEnd => ({
  kind: 'failed',
  failure: { code: 'result_refused', detail, remedy: 'Retry the job, on another node (--not-on).' },
})

/** Bytes of an attempt's log that are in the file here; of one that is cut at its limit, all there will ever be. */
export const logSafe = ({ writer, logOffset }: Pick<Source, 'writer' | 'logOffset'>): number =>
  writer.dropped > 0 ? Number.MAX_SAFE_INTEGER : Math.max(0, writer.written - logOffset)

/** Brings home what an attempt on another node leaves: its log as it grows, and its result once it has ended. */
export function createBringingHome(deps: JobDeps, homeModels: HomeModels) {
  const { clock, settings, workspace, directories, secrets, files, freeBytes } = deps

  /** The log from where the file ends, until the attempt's log does. @throws {ApiError} when it breaks off */
  async function logOnce({ link, name, writer, logOffset }: Source, signal: AbortSignal): Promise<void> {
    const offset = writer.offset - logOffset
    for await (const piece of unlessSilent(clock, LOG_SILENCE_MS, until => link.log(name, offset, until), signal)) {
      await writer.write(piece)
      giveBack(piece)
      if (writer.dropped > 0) return
    }
  }

  /** The same, again and again while it breaks off. */
  async function log(source: Source, signal: AbortSignal): Promise<void> {
    for (let ms = FIRST_PAUSE_MS; !signal.aborted; ms = Math.min(2 * ms, LAST_PAUSE_MS)) {
      const before = source.writer.offset
      try {
        return await logOnce(source, signal)
      } catch (error) {
        if (source.writer.offset > before) ms = FIRST_PAUSE_MS
        if (signal.aborted || (error instanceof ApiError && error.code === 'not_yours')) return
        await pause(clock, ms, signal)
      }
    }
  }

  const directoryOf = ({ id, epoch }: Pick<JobRow, 'id' | 'epoch'>): string => join(directories.attempts, `${id}.${epoch}.result`)

  /**
   * Fetches the bundle with the result, from where an earlier try ended. What is not what it was said to be is fetched once more.
   * @param told what it is to be, by the worker; null where that does not say; `most` what it may have
   * @throws {WorkspaceError} `too_large`, `unsafe_path`; an error when it is not all there
   */
  async function fetchBundle(
    source: Source,
    path: string,
    told: AttemptReport['bundle'],
    most: Most,
    signal: AbortSignal,
  ): Promise<void> {
    refuseMore(told?.bytes ?? 0, most)
    for (let isAgain = false; ; isAgain = true) {
      const { bytes, sha256 } = await fetchRest(source, path, { total: told?.bytes ?? null, most }, signal)
      if (told === null || sha256 === told.sha256) return
      if (bytes < told.bytes) throw new Error(`Of its result ${bytes} of ${told.bytes} bytes came`)
      await files.remove(path)
      if (isAgain) throw new WorkspaceError('unsafe_path', 'Its node sent twice something else as the result than it said.')
    }
  }

  /** @returns what the file is then */
  async function fetchRest(
    { link, name }: Source,
    path: string,
    { total, most }: { total: number | null; most: Most },
    signal: AbortSignal,
  ) {
    const file = await files.open(path, 'append')
    const hash = createHash('sha256')
    try {
      let bytes = await file.size()
      for await (const piece of pieces(file, 0, bytes)) hash.update(piece)
      const from = bytes
      if (total === null || bytes < total)
        for await (const piece of unlessSilent(clock, RESULT_SILENCE_MS, until => link.result(name, from, until), signal)) {
          refuseMore(bytes + piece.byteLength, most)
          await file.write(piece, bytes)
          hash.update(piece)
          bytes += piece.byteLength
        }
      return { bytes, sha256: hash.digest('hex') }
    } finally {
      await file.close()
    }
  }

  const freeRoom = async (): Promise<number> => (await freeBytes(directories.attempts)) - settings.storage.reserveBytes

  /** The narrowest of what a bundle may have. @param room bytes that are free */
  const mostOf = (diskBytes: number, room: number): Most => {
    const limits: readonly [Most, ...Most[]] = [
      { bytes: settings.resultBytes, why: 'this node takes (fleet.resultBytes)' },
      { bytes: diskBytes, why: 'the job may have (limits.diskBytes)' },
      { bytes: room, why: 'are free here (storage.reserveBytes left out)' },
    ]
    return limits.reduce((least, limit) => (limit.bytes < least.bytes ? limit : least))
  }

  /** Fetches the commit of a result and looks into it. */
  async function receive(
    job: JobRow & { readonly snapshot: NonNullable<JobRow['snapshot']> },
    commit: string,
    told: AttemptReport['bundle'],
    source: Source,
    signal: AbortSignal,
  ): Promise<AttemptEnd | null> {
    const directory = directoryOf(job)
    const file = join(directory, 'result.bundle')
    await files.makeDirectory(directory)
    try {
      const maxBytes = overlay(settings.limits, job.spec.limits).diskBytes
      await fetchBundle(source, file, told, mostOf(maxBytes, await freeRoom()), signal)
      const received = await workspace.receiveResult(file, job.snapshot, job.id, job.epoch, { maxBytes })
      if (received.commit !== commit) return refused(`The node says its result is ${commit} and sent ${received.commit}.`)
      const leaks = await workspace.findInResult(job.snapshot, commit, secrets.forms())
      if (leaks.length > 0) return refused(`The result contains a secret of this node in: ${leaks.slice(0, 10).join(', ')}.`)
      return null
    } catch (error) {
      if (error instanceof WorkspaceError) return refused(error.message)
      throw error
    }
  }

  /**
   * Waits for the rest of the log and for the commit, so that the end that is accepted is all there.
   * @throws when it could not be brought home now
   */
  async function end(
    job: JobRow,
    report: AttemptReport & { readonly end: AttemptEnd },
    source: Source,
    signal: AbortSignal,
  ): Promise<Ended> {
    const { writer, logOffset } = source
    const { end, logBytes, bundle } = report
    // The stream may have ended before the attempt did. Who follows it knows how long to wait for a node that is not there.
    for (let before = -1; writer.offset < logOffset + logBytes && writer.dropped === 0 && writer.offset > before; ) {
      before = writer.offset
      await logOnce(source, signal).catch(error => {
        if (writer.offset === before) throw error
      })
    }
    await writer.flush()
    if (writer.dropped === 0 && writer.offset < logOffset + logBytes)
      throw new Error(`Its log has ${logBytes} bytes, of which ${writer.offset - logOffset} came`)
    if (end.kind === 'stopped' && end.stop === 'lease') return lost('Its lease ended before this node was heard of again.')
    if (end.kind === 'stopped' && end.stop === 'shutdown')
      return {
        kind: 'returned',
        reason: end.handedBack ? (end.reason ?? 'Its node is draining and gave it back.') : 'The node that ran it was stopped.',
      }
    if (end.kind !== 'result') return end
    const nonsense = contradiction(end, job.spec)
    if (nonsense) return refused(nonsense)
    const { snapshot } = job
    const result = {
      ...end.result,
      epoch: job.epoch,
      snapshot: snapshot?.commit ?? null,
      ref: null,
      usage: await homeModels.usage({ jobId: job.id, epoch: job.epoch }),
      logBytes: await writer.flush(),
    }
    const problem =
      result.commit !== null && snapshot ? await receive({ ...job, snapshot }, result.commit, bundle, source, signal) : null
    return problem ?? { ...end, result }
  }

  /** Removes what tries to bring a result home left. */
  const forget = (job: Pick<JobRow, 'id' | 'epoch'>): Promise<void> => files.remove(directoryOf(job))

  return { log, end, forget }
}
export type BringingHome = ReturnType<typeof createBringingHome>

interface Most {
  readonly bytes: number
  readonly why: string
}

function refuseMore(bytes: number, most: Most): void {
  if (bytes <= most.bytes) return
  throw new WorkspaceError('too_large', `The bundle with its result has more than the ${most.bytes} bytes that ${most.why}.`)
}
