import { ApiError } from '#shared/contract/index.ts'
import type { JobDeps } from './ports.ts'

/** Measuring walks files, so admissions within this time share one figure. */
const FRESH_MS = 2_000

/** Keeps the data directory inside its budget. */
export interface Space {
  /** @throws {ApiError} `out_of_space`, with how much is missing. */
  require(): Promise<void>
  /** Bytes the node's data takes now. */
  used(): Promise<number>
}

const inMiB = (bytes: number): string => `${Math.ceil(bytes / 1024 / 1024)} MiB`

export function createSpace({ store, logs, workspace, clock, freeBytes, directories, settings }: JobDeps): Space {
  const { budgetBytes, reserveBytes } = settings.storage
  let measured: { at: number; missing: Promise<number> } | null = null

  async function used(): Promise<number> {
    const parts = await Promise.all([store.size(), logs.totalBytes(), workspace.totalBytes()])
    return parts.reduce((sum, bytes) => sum + bytes, 0)
  }

  async function missing(): Promise<number> {
    const [taken, free] = await Promise.all([used(), freeBytes(directories.data)])
    return Math.max(taken - budgetBytes, reserveBytes - free)
  }

  return {
    used,
    async require() {
      const now = clock.monotonic()
      if (!measured || now - measured.at > FRESH_MS) measured = { at: now, missing: missing() }
      const bytes = await measured.missing
      if (bytes <= 0) return
      measured = null
      throw new ApiError('out_of_space', `${inMiB(bytes)} must be freed before another job is taken.`, {
        missingBytes: bytes,
        remedy: 'Run `skein prune`, raise storage.budgetBytes, or free space on the disk.',
      })
    },
  }
}
