import type { Logs } from '#server/logs/index.ts'
import type { JobRow } from '#server/store/index.ts'
import type { JobId, Result } from '#shared/model/index.ts'

const PIECE_BYTES = 256 * 1024

/** An attempt that is set aside, or the one that won. */
interface Name {
  readonly jobId: JobId
  readonly epoch: number
}

/** Name of an attempt's log among the files of attempts. */
const fileOf = ({ jobId, epoch }: Name): string => `${jobId}.${epoch}.aside`

/** What stands in the job's log before the log of an attempt that was set aside and won. */
const heading = (epoch: number): Uint8Array =>
  new TextEncoder().encode(`── attempt ${epoch} ended first; this is its whole log\n`)

/**
 * Logs of attempts that are set aside. A job has one log and its newest attempt writes it, so theirs are kept apart, whole, and
 * become the end of the job's log when they win.
 */
export function createAsideLogs({ logs, apart }: { logs: Logs; apart: Logs }) {
  return {
    /** Where the attempt's own log begins in its file. */
    beginOf: (epoch: number): number => heading(epoch).byteLength,

    async writer(name: Name, maxBytes: number) {
      const begin = heading(name.epoch)
      const writer = await apart.writer(fileOf(name), { maxBytes: maxBytes + begin.byteLength, redact: bytes => bytes })
      // A file that was cut off within its heading by a crash is finished where it ends.
      if (writer.offset < begin.byteLength) await writer.write(begin.subarray(writer.offset))
      return writer
    },

    /** The result as it is once its log is the end of the job's. @param logOffset where the attempt's log began when it was given */
    async placed(name: Name, result: Result, logOffset: number): Promise<Result> {
      const [before, bytes] = await Promise.all([logs.size(name.jobId), apart.size(fileOf(name))])
      const by = before + heading(name.epoch).byteLength - logOffset
      const moved = (run: Result['checks'][number]['base']) => ({ ...run, logOffset: run.logOffset + by })
      const checks = result.checks.map(check => ({ ...check, base: moved(check.base), result: moved(check.result) }))
      return { ...result, checks, logBytes: before + bytes }
    },

    /** Makes the log of an attempt that won the end of its job's log, as far as it is not yet. May be called again. */
    async join({ id: jobId, result }: Pick<JobRow, 'id' | 'result'>): Promise<void> {
      if (!result) return
      const name = { jobId, epoch: result.epoch }
      const bytes = await apart.size(fileOf(name))
      const missing = result.logBytes - (await logs.size(jobId))
      if (bytes === 0 || missing <= 0) return
      const writer = await logs.writer(jobId, { maxBytes: result.logBytes, redact: piece => piece })
      const reader = apart.reader(fileOf(name))
      try {
        for (let offset = Math.max(0, bytes - missing); offset < bytes; ) {
          const piece = await reader.read(offset, Math.min(PIECE_BYTES, bytes - offset))
          if (piece.byteLength === 0) return
          await writer.write(piece)
          offset += piece.byteLength
        }
      } finally {
        await reader.close()
        await writer.close()
      }
    },

    async forget(name: Name): Promise<void> {
      await apart.remove(fileOf(name))
    },
  }
}
export type AsideLogs = ReturnType<typeof createAsideLogs>
