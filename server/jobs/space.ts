import { ApiError } from '#shared/contract/index.ts'
import type { JobDeps } from './ports.ts'

/** Measuring walks files, so admissions within this time share one figure. */
const FRESH_MS = 2_000

/** Keeps the data directory inside its budget. */
export interface Space {
  /** @throws {ApiError} `out_of_space`, with how much is missing. */
  require(): Promise<void>
  /** Bytes that must be freed before more work is taken, 0 for none: as measured last, for a bid cannot wait until all files are walked. */
  missing(): Promise<number>
  /** Bytes the node's data takes now. */
  used(): Promise<number>
}

const inMiB = (bytes: number): string => `${Math.ceil(bytes / 1024 / 1024)} MiB`

export function createSpace(deps: JobDeps): Space {
  const { store, logs, hostedLogs, workspace, clock, freeBytes, directories, settings, log } = deps
  const { budgetBytes, reserveBytes } = settings.storage
  let known: number | null = null
  let measured: { at: number; missing: Promise<number> } | null = null

  async function used(): Promise<number> {
    const parts = await Promise.all([store.size(), logs.totalBytes(), hostedLogs.totalBytes(), workspace.totalBytes()])
    return parts.reduce((sum, bytes) => sum + bytes, 0)
  }

  async function measure(): Promise<number> {
    const [taken, free] = await Promise.all([used(), freeBytes(directories.data)])
    known = Math.max(0, taken - budgetBytes, reserveBytes - free)
    return known
  }

  function recent(): Promise<number> {
    const now = clock.monotonic()
    if (!measured || now - measured.at > FRESH_MS) measured = { at: now, missing: measure() }
    return measured.missing
  }

  return {
    used,
    async missing() {
      const measuring = recent()
      if (known === null) return measuring
      // Told to whoever asks next.
      measuring.catch(error => log.error({ err: error }, 'The space that is left could not be measured'))
      return known
    },
    async require() {
      const bytes = await recent()
      if (bytes === 0) return
      // Whoever frees some asks again at once.
      measured = null
      throw new ApiError('out_of_space', `${inMiB(bytes)} must be freed before another job is taken.`, {
        missingBytes: bytes,
        remedy: 'Run `skein prune`, raise storage.budgetBytes, or free space on the disk.',
      })
    },
  }
}
