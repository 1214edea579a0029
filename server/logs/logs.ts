import { createHash } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { JobId } from '#shared/model/index.ts'
import type { Logs } from './port.ts'
import { createReader, isMissing } from './reader.ts'
import { createWriter, pieces } from './writer.ts'

type Listener = (size: number, sealed: boolean) => void

/** Logs below a directory, 1,024 folders of them at most: `<dir>/<last two characters of the id>/<id>.log`, mode 0600. */
export function createLogs({ directory }: { directory: string }): Logs {
  const listeners = new Map<JobId, Set<Listener>>()
  // The end of an id is random, its start is time: by the start, all of today's logs would share one folder.
  const fileOf = (id: JobId) => join(directory, id.slice(-2), `${id}.log`)
  const tell = (id: JobId, size: number, sealed: boolean) => {
    for (const listener of listeners.get(id) ?? []) listener(size, sealed)
  }

  async function openFile(id: JobId, flags: 'r' | 'a+'): Promise<FileHandle> {
    const file = fileOf(id)
    try {
      return await open(file, flags, 0o600)
    } catch (error) {
      if (flags === 'r' || !isMissing(error)) throw error
      await mkdir(dirname(file), { recursive: true, mode: 0o700 })
      return open(file, flags, 0o600)
    }
  }

  async function size(id: JobId): Promise<number> {
    try {
      return (await stat(fileOf(id))).size
    } catch (error) {
      if (isMissing(error)) return 0
      throw error
    }
  }

  return {
    size,

    async writer(id, { maxBytes, redact }) {
      const handle = await openFile(id, 'a+')
      const { size: before } = await handle.stat()
      return createWriter({ handle, size: before, maxBytes, redact, wrote: written => tell(id, written, false) })
    },

    reader: id => createReader(() => openFile(id, 'r')),

    follow(id, listener) {
      const set = listeners.get(id) ?? new Set()
      listeners.set(id, set.add(listener))
      return () => {
        set.delete(listener)
        if (set.size === 0 && listeners.get(id) === set) listeners.delete(id)
      }
    },

    async seal(id) {
      const handle = await openFile(id, 'a+')
      try {
        const { size: bytes } = await handle.stat()
        const hash = createHash('sha256')
        for await (const piece of pieces(handle, 0, bytes)) hash.update(piece)
        if (bytes > 0) await handle.datasync()
        tell(id, bytes, true)
        return { bytes, sha256: hash.digest('hex') }
      } finally {
        await handle.close()
      }
    },

    async remove(id) {
      await rm(fileOf(id), { force: true })
    },

    async totalBytes() {
      const folders = await readdir(directory).catch(() => [])
      let total = 0
      for (const folder of folders) {
        const names = await readdir(join(directory, folder)).catch(() => [])
        const sizes = await Promise.all(
          names.map(name =>
            stat(join(directory, folder, name)).then(
              file => file.size,
              () => 0,
            ),
          ),
        )
        total += sizes.reduce((sum, bytes) => sum + bytes, 0)
      }
      return total
    },
  }
}
