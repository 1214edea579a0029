import type { FileHandle } from 'node:fs/promises'
import type { LogReader } from './port.ts'

export const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT'

/** @param open opens the file; it may not be there yet. */
export function createReader(open: () => Promise<FileHandle>): LogReader {
  let handle: FileHandle | null = null

  async function opened(): Promise<FileHandle | null> {
    handle ??= await open().catch(error => {
      if (isMissing(error)) return null
      throw error
    })
    return handle
  }

  return {
    async read(offset, limit, headroom = 0) {
      const file = await opened()
      if (!file) return new Uint8Array(headroom)
      const buffer = Buffer.allocUnsafe(headroom + limit)
      let end = headroom
      while (end < buffer.byteLength) {
        const { bytesRead } = await file.read(buffer, end, buffer.byteLength - end, offset + end - headroom)
        if (bytesRead === 0) break
        end += bytesRead
      }
      return buffer.subarray(0, end)
    },
    async close() {
      await handle?.close()
      handle = null
    },
  }
}
