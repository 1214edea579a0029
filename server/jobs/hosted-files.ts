import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { type Files, pieces } from '#server/lib/files.ts'
import type { Logs } from '#server/logs/index.ts'
import type { HostedKey } from '#server/store/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import { fileNameOf } from './hosted-attempt.ts'

/** Most bytes of a log read at once. */
const LOG_PIECE_BYTES = 256 * 1024

const SNAPSHOT = 'snapshot.'

/** A piece of a file, and what the whole of it has to be. */
export interface Piece {
  readonly offset: number
  readonly total: number
  /** Of the whole file, hex. */
  readonly sha256: string
  readonly body: Uint8Array
}

/** What a file is, for those who fetch it. */
interface Bundle {
  readonly bytes: number
  readonly sha256: string
}

/** What travels of a hosted attempt: a snapshot comes, a result goes. One directory an attempt. */
export function createHostedFiles({ root, files }: { root: string; files: Files }) {
  const directoryOf = (key: HostedKey): string => join(root, fileNameOf(key))
  /** By what is to be in it: what came of another bundle is of no use for this one. */
  const snapshotOf = (key: HostedKey, sha256: string): string => join(directoryOf(key), `${SNAPSHOT}${sha256}`)
  const arrivalOf = (key: HostedKey): string => join(directoryOf(key), 'arrived')
  const resultOf = (key: HostedKey): string => join(directoryOf(key), 'result.bundle')

  const stated = new Map<string, Promise<Bundle | null>>()

  async function hashOf(path: string): Promise<string> {
    const hash = createHash('sha256')
    for await (const piece of contents(path, 0)) hash.update(piece)
    return hash.digest('hex')
  }

  async function* contents(path: string, from: number): AsyncGenerator<Uint8Array> {
    const file = await files.open(path, 'read')
    try {
      yield* pieces(file, from)
    } finally {
      await file.close()
    }
  }

  return {
    resultOf,
    prepare: (key: HostedKey): Promise<void> => files.makeDirectory(directoryOf(key)),
    async remove(key: HostedKey): Promise<void> {
      stated.delete(fileNameOf(key))
      await files.remove(directoryOf(key))
    },

    /**
     * Takes a piece of the snapshot. @returns how much of it is there, and where it lies once it is all there and is what was sent
     * @throws {ApiError} `snapshot_failed`; `body_too_large`
     */
    async takeSnapshot(key: HostedKey, { offset, total, sha256, body }: Piece): Promise<{ bytes: number; whole: string | null }> {
      const directory = directoryOf(key)
      const path = snapshotOf(key, sha256)
      await files.makeDirectory(directory)
      for (const other of await files.list(directory))
        if (other.startsWith(SNAPSHOT) && join(directory, other) !== path) await files.remove(join(directory, other))
      const bytes = await append(files, path, offset, total, body)
      if (bytes < total) return { bytes, whole: null }
      if ((await hashOf(path)) === sha256) {
        await (await files.open(arrivalOf(key), 'append')).close()
        return { bytes, whole: path }
      }
      await files.remove(path)
      throw new ApiError('snapshot_failed', 'What arrived is not what was sent; send it again from the start.')
    },

    /** Whether a part of the snapshot came, and not all. */
    async isArriving(key: HostedKey): Promise<boolean> {
      const there = await files.list(directoryOf(key))
      return there.some(name => name.startsWith(SNAPSHOT)) && (await files.size(arrivalOf(key))) === null
    },

    /** What the bundle of a result that is not written any more is; null where there is none. */
    state(key: HostedKey): Promise<Bundle | null> {
      const name = fileNameOf(key)
      const known = stated.get(name)
      if (known) return known
      const read = async () => {
        const path = resultOf(key)
        const bytes = await files.size(path)
        return bytes === null ? null : { bytes, sha256: await hashOf(path) }
      }
      const told = read()
      stated.set(name, told)
      told.catch(() => stated.delete(name))
      return told
    },

    /** @throws {ApiError} `no_result` */
    async result(key: HostedKey, offset: number): Promise<{ body: AsyncIterable<Uint8Array>; bytes: number }> {
      const path = resultOf(key)
      const bytes = await files.size(path)
      if (bytes === null) throw new ApiError('no_result', `Attempt ${key.epoch} of job ${key.jobId} left no result here.`)
      return { body: contents(path, offset), bytes }
    },
  }
}

/** Writes a piece of a file at its offset; what is there already is not written again. @returns the size of the file then. */
async function append(files: Files, path: string, offset: number, total: number, piece: Uint8Array): Promise<number> {
  if (offset + piece.byteLength > total) throw new ApiError('body_too_large', 'More bytes came than were announced.')
  const file = await files.open(path, 'append')
  try {
    const size = await file.size()
    const fresh = piece.subarray(Math.min(piece.byteLength, Math.max(0, size - offset)))
    if (offset > size || fresh.byteLength === 0) return size
    await file.write(fresh, size)
    return size + fresh.byteLength
  } finally {
    await file.close()
  }
}

/** A log from an offset until its attempt is over. @param attempt `onNews` tells of whatever happens to it, its end included */
export async function* followLog(
  logs: Logs,
  name: string,
  from: number,
  attempt: { isOver: () => Promise<boolean>; onNews: (listener: () => void) => () => void },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const reader = logs.reader(name)
  let wake = () => {}
  let end = 0
  let isOver = false
  /** Whether something happened since it was asked after; most news of an attempt that prints are its bytes. */
  let isChanged = true
  const unsubscribe = [
    logs.follow(name, size => {
      end = Math.max(end, size)
      wake()
    }),
    attempt.onNews(() => {
      isChanged = true
      wake()
    }),
  ]
  const stop = () => wake()
  signal.addEventListener('abort', stop)
  try {
    for (let offset = from; !signal.aborted; ) {
      // The size is told with each write: what is known to be there is read without asking for more.
      if (offset < end) {
        const piece = await reader.read(offset, Math.min(LOG_PIECE_BYTES, end - offset))
        offset += piece.byteLength
        yield piece
        continue
      }
      // Before anything is asked, so that what happens meanwhile is not missed.
      const news = new Promise<void>(resolve => {
        wake = resolve
      })
      if (isChanged) {
        isChanged = false
        // Asked before the size: what was written before the end is then read.
        isOver = await attempt.isOver()
        end = Math.max(end, await logs.size(name))
        if (offset < end) continue
      }
      if (isOver) return
      await news
    }
  } finally {
    for (const off of unsubscribe) off()
    signal.removeEventListener('abort', stop)
    await reader.close()
  }
}
