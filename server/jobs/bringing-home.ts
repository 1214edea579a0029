import { join } from 'node:path'
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

/** Brings home what an attempt on another node leaves: its log as it grows, and its result once it has ended. */
export function createBringingHome(deps: JobDeps, homeModels: HomeModels) {
  const { clock, settings, workspace, directories, secrets, files, freeBytes } = deps

  /** Log bytes as they come, from where the file ends, until the attempt's log does. */
  async function log({ link, name, writer, logOffset }: Source, signal: AbortSignal): Promise<void> {
    for (let ms = FIRST_PAUSE_MS; !signal.aborted; ms = Math.min(2 * ms, LAST_PAUSE_MS)) {
      try {
        for await (const piece of link.log(name, writer.offset - logOffset, signal)) {
          await writer.write(piece)
          ms = FIRST_PAUSE_MS
          if (writer.dropped > 0) return
        }
        return
      } catch (error) {
        if (signal.aborted || (error instanceof ApiError && error.code === 'not_yours')) return
        await pause(clock, ms, signal)
      }
    }
  }

  /** @returns whether it was no longer than it may be; what is longer is not read to its end */
  async function fetchBundle({ link, name }: Source, path: string, maxBytes: number, signal: AbortSignal): Promise<boolean> {
    const file = await files.open(path, 'append')
    try {
      let size = await file.size()
      for await (const piece of link.result(name, size, signal)) {
        if (size + piece.byteLength > maxBytes) return false
        await file.write(piece, size)
        size += piece.byteLength
      }
      return true
    } finally {
      await file.close()
    }
  }

  /** Fetches the commit of a result and looks into it. */
  async function receive(
    job: JobRow & { readonly snapshot: NonNullable<JobRow['snapshot']> },
    commit: string,
    source: Source,
    signal: AbortSignal,
  ): Promise<AttemptEnd | null> {
    const directory = join(directories.attempts, `${job.id}.${job.epoch}`)
    const file = join(directory, 'result.bundle')
    await files.makeDirectory(directory)
    try {
      const maxBytes = overlay(settings.limits, job.spec.limits).diskBytes
      const room = (await freeBytes(directories.attempts)) - settings.storage.reserveBytes
      if (!(await fetchBundle(source, file, Math.min(maxBytes, room), signal)))
        return refused(
          room < maxBytes
            ? `Its result has more than the ${room} bytes that are free here (storage.reserveBytes left out).`
            : `Its result has more than ${maxBytes} bytes (limits.diskBytes).`,
        )
      const received = await workspace.receiveResult(file, job.snapshot, job.id, job.epoch, { maxBytes })
      if (received.commit !== commit) return refused(`The node says its result is ${commit} and sent ${received.commit}.`)
      const leaks = await workspace.findInResult(job.snapshot, commit, secrets.forms())
      if (leaks.length > 0) return refused(`The result contains a secret of this node in: ${leaks.slice(0, 10).join(', ')}.`)
      return null
    } catch (error) {
      if (error instanceof WorkspaceError) return refused(error.message)
      throw error
    } finally {
      await files.remove(directory)
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
    const { end, logBytes } = report
    // The stream may have ended before the attempt did.
    if (writer.offset < logOffset + logBytes) await log(source, signal)
    await writer.flush()
    if (writer.dropped === 0 && writer.offset < logOffset + logBytes)
      throw new Error(`Its log has ${logBytes} bytes, of which ${writer.offset - logOffset} came`)
    if (end.kind === 'stopped' && end.stop === 'lease') return lost('Its lease ended before this node was heard of again.')
    if (end.kind === 'stopped' && end.stop === 'shutdown')
      return {
        kind: 'returned',
        reason: end.handedBack ? 'Its node is draining and gave it back.' : 'The node that ran it was stopped.',
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
    const problem = result.commit !== null && snapshot ? await receive({ ...job, snapshot }, result.commit, source, signal) : null
    return problem ?? { ...end, result }
  }

  return { log, end }
}
export type BringingHome = ReturnType<typeof createBringingHome>
