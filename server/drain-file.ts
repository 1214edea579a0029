import { readFile, rm } from 'node:fs/promises'
import * as z from 'zod'
import type { DrainFile } from '#server/jobs/index.ts'
import { writeWhole } from '#server/lib/write-whole.ts'

const Kept = z.strictObject({ since: z.int(), handBackAt: z.int().nullable() })

/** A drain in a file of its own: there while the node drains, readable by its owner. */
export function drainFile(path: string): DrainFile {
  return {
    /** @throws {Error} when the file is damaged: a node that was told to take nothing must not take it for a no */
    async load() {
      const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return null
        throw error
      })
      if (text === null) return null
      try {
        return Kept.parse(JSON.parse(text))
      } catch (cause) {
        throw new Error(`${path} is damaged. Remove it to let the node take attempts again.`, { cause })
      }
    },
    async save(state) {
      if (state === null) return rm(path, { force: true })
      await writeWhole(path, `${JSON.stringify(state)}\n`)
    },
  }
}
