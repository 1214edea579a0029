import { type FileHandle, mkdir, open, readdir, stat } from 'node:fs/promises'
import { removeTree } from './remove-tree.ts'

/** Piece of a file read at once, bytes. */
const PIECE_BYTES = 256 * 1024

/** A file that is open; several may be written at once, one is written by one. */
export interface OpenFile {
  size(): Promise<number>
  /** Fills `into` from byte `at`. @returns bytes read, 0 at the end of the file */
  read(into: Uint8Array, at: number): Promise<number>
  /** Writes all of it at `at`, which for a file opened to append is its end. */
  write(bytes: Uint8Array, at: number): Promise<void>
  /** What was written is on disk. */
  sync(): Promise<void>
  close(): Promise<void>
}

/** The disk as a port, as much of it as the server's own files need. Made for the node alone: directories 0700, files 0600. */
export interface Files {
  /** @throws an error with code ENOENT when there is none to read, or no directory to make one in */
  open(path: string, mode: 'read' | 'append'): Promise<OpenFile>
  /** Makes a directory and those above it. */
  makeDirectory(path: string): Promise<void>
  /** Removes a file or a whole directory; what is not there is fine. */
  remove(path: string): Promise<void>
  /** @returns names; none where there is no such directory */
  list(path: string): Promise<string[]>
  /** @returns bytes; null where there is no such file */
  size(path: string): Promise<number | null>
}

export const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT'

/** A handle of Node's in the shape of the port. */
export function nodeFile(handle: FileHandle): OpenFile {
  return {
    size: async () => (await handle.stat()).size,
    read: async (into, at) => (await handle.read(into, 0, into.byteLength, at)).bytesRead,
    // A full disk may take a part and say so only at the next call.
    async write(bytes, at) {
      for (let done = 0; done < bytes.byteLength; ) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.byteLength - done, at + done)
        done += bytesWritten
      }
    },
    sync: () => handle.datasync(),
    close: () => handle.close(),
  }
}

/** The real disk. */
export const nodeFiles: Files = {
  open: async (path, mode) => nodeFile(await open(path, mode === 'read' ? 'r' : 'a+', 0o600)),
  async makeDirectory(path) {
    await mkdir(path, { recursive: true, mode: 0o700 })
  },
  remove: removeTree,
  list: path => readdir(path).catch(() => []),
  size: path =>
    stat(path).then(
      ({ size }) => size,
      error => {
        if (isMissing(error)) return null
        throw error
      },
    ),
}

/** Reads [from, to) of an open file in pieces, each in memory of its own; ends early where the file does. */
export async function* pieces(file: OpenFile, from: number, to: number = Number.POSITIVE_INFINITY): AsyncGenerator<Uint8Array> {
  for (let offset = from; offset < to; ) {
    const buffer = new Uint8Array(Math.min(PIECE_BYTES, to - offset))
    const bytes = await file.read(buffer, offset)
    if (bytes === 0) return
    offset += bytes
    yield buffer.subarray(0, bytes)
  }
}
