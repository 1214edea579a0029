import { ApiError } from '#shared/contract/index.ts'
import type { JobDeps } from './ports.ts'

/** Admissions within this time share one figure. */
const FRESH_MS = 2_000
/** What the node's data takes is found by a walk of its files, of which there are as many as it ever had jobs: the walk serves for so many times as long as it took. */
const WALK_SERVES = 50

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
  let walked: { until: number; taken: Promise<number> } | null = null

  async function used(): Promise<number> {
    const parts = await Promise.all([store.size(), logs.totalBytes(), hostedLogs.totalBytes(), workspace.totalBytes()])
    return parts.reduce((sum, bytes) => sum + bytes, 0)
  }

  function walk(): Promise<number> {
    const begun = clock.monotonic()
    const walk = { until: Number.POSITIVE_INFINITY, taken: used() }
    const over = () => {
      const now = clock.monotonic()
      walk.until = now + WALK_SERVES * (now - begun)
    }
    walk.taken.then(over, () => {
      if (walked === walk) walked = null
    })
    walked = walk
    return walk.taken
  }

  async function measure(): Promise<number> {
    const last = walked !== null && clock.monotonic() < walked.until ? walked.taken : walk()
    const [taken, free] = await Promise.all([last, freeBytes(directories.data)])
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
      walked = null
      throw new ApiError('out_of_space', `${inMiB(bytes)} must be freed before another job is taken.`, {
        missingBytes: bytes,
        remedy: 'Run `skein prune`, raise storage.budgetBytes, or free space on the disk.',
      })
    },
  }
}
