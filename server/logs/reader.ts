import { isMissing, type OpenFile } from '#server/lib/files.ts'
import type { LogReader } from './port.ts'

/** @param open opens the file; it may not be there yet. */
export function createReader(open: () => Promise<OpenFile>): LogReader {
  let file: OpenFile | null = null

  async function opened(): Promise<OpenFile | null> {
    file ??= await open().catch(error => {
      if (isMissing(error)) return null
      throw error
    })
    return file
  }

  return {
    async read(offset, limit, headroom = 0) {
      const log = await opened()
      if (!log) return new Uint8Array(headroom)
      const buffer = Buffer.allocUnsafe(headroom + limit)
      let end = headroom
      while (end < buffer.byteLength) {
        const bytes = await log.read(buffer.subarray(end), offset + end - headroom)
        if (bytes === 0) break
        end += bytes
      }
      return buffer.subarray(0, end)
    },
    async close() {
      await file?.close()
      file = null
    },
  }
}
