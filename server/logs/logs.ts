import { createHash } from 'node:crypto'
import { dirname, join } from 'node:path'
import { endOfTurn } from '#server/lib/clock.ts'
import { type Files, isMissing, nodeFiles, type OpenFile, pieces } from '#server/lib/files.ts'
import type { JobId } from '#shared/model/index.ts'
import type { Logs } from './port.ts'
import { createReader } from './reader.ts'
import { createWriter, type WriterOptions } from './writer.ts'

type Listener = (size: number, sealed: boolean) => void

/** Logs below a directory, 1,024 folders of them at most: `<dir>/<last two characters of the id>/<id>.log`, mode 0600. */
export function createLogs(deps: { directory: string; files?: Files; endOfTurn?: WriterOptions['endOfTurn'] }): Logs {
  const { directory, files = nodeFiles } = deps
  const listeners = new Map<JobId, Set<Listener>>()
  /** Bytes that a writer of this process has brought to disk, of logs that are not final: each trip there takes a disk longer than a job. */
  const durable = new Map<JobId, number>()
  // The end of an id is random, its start is time: by the start, all of today's logs would share one folder.
  const fileOf = (id: JobId) => join(directory, id.slice(-2), `${id}.log`)
  const tell = (id: JobId, size: number, sealed: boolean) => {
    for (const listener of listeners.get(id) ?? []) listener(size, sealed)
  }

  async function openFile(id: JobId, mode: 'read' | 'append'): Promise<OpenFile> {
    const path = fileOf(id)
    try {
      return await files.open(path, mode)
    } catch (error) {
      if (mode === 'read' || !isMissing(error)) throw error
      await files.makeDirectory(dirname(path))
      return files.open(path, mode)
    }
  }

  return {
    size: async id => (await files.size(fileOf(id))) ?? 0,

    async writer(id, { maxBytes, redact }) {
      const file = await openFile(id, 'append')
      return createWriter({
        file,
        size: await file.size(),
        maxBytes,
        redact,
        wrote: written => tell(id, written, false),
        synced: written => durable.set(id, written),
        endOfTurn: deps.endOfTurn ?? endOfTurn,
      })
    },

    reader: id => createReader(() => openFile(id, 'read')),

    follow(id, listener) {
      const set = listeners.get(id) ?? new Set()
      listeners.set(id, set.add(listener))
      return () => {
        set.delete(listener)
        if (set.size === 0 && listeners.get(id) === set) listeners.delete(id)
      }
    },

    async seal(id, record) {
      const file = await openFile(id, 'append')
      try {
        const bytes = await file.size()
        const hash = createHash('sha256')
        for await (const piece of pieces(file, 0, bytes)) hash.update(piece)
        if (bytes > 0 && durable.get(id) !== bytes) await file.sync()
        await record({ bytes, sha256: hash.digest('hex') })
        durable.delete(id)
        tell(id, bytes, true)
      } finally {
        await file.close()
      }
    },

    remove(id) {
      durable.delete(id)
      return files.remove(fileOf(id))
    },

    async totalBytes() {
      let total = 0
      for (const folder of await files.list(directory)) {
        const names = await files.list(join(directory, folder))
        const sizes = await Promise.all(names.map(name => files.size(join(directory, folder, name)).catch(() => 0)))
        total += sizes.reduce<number>((sum, bytes) => sum + (bytes ?? 0), 0)
      }
      return total
    },
  }
}
