import type { Clock } from '#server/lib/clock.ts'
import type { HostedKey, HostedRow, HostedStore } from '#server/store/index.ts'
import { LONGEST_AWAY_MS } from '#shared/model/index.ts'
import { fileNameOf } from './hosted-attempt.ts'

/** How long what came of an attempt is kept for its home, ms: twice as long as a home may be away. */
const KEEP_MS = 2 * LONGEST_AWAY_MS
const HOUR_MS = 3_600_000

/** Forgets attempts whose home does not come back for what they left. */
export interface Forgetting {
  /** The home has asked for this attempt. */
  heard(key: HostedKey): void
  gone(key: HostedKey): void
  isOld(row: HostedRow): boolean
  /** Forgets what is old when an hour has passed since the last time; called where something just grew or ended, so it needs no timer. */
  occasionally(): void
  /** Fulfils when nothing is being forgotten. */
  settled(): Promise<void>
}

/** @param parts.forget removes an attempt with all it left */
export function createForgetting(
  { clock, hosted, warn }: { clock: Clock; hosted: Pick<HostedStore, 'all'>; warn: (error: unknown) => void },
  { isRunning, forget }: { isRunning(key: HostedKey): boolean; forget(key: HostedKey): Promise<void> },
): Forgetting {
  /** When a home asked for an attempt last, on the monotonic clock. */
  const heardAt = new Map<string, number>()
  let last = clock.monotonic()
  let work: Promise<void> = Promise.resolve()

  function isOld(row: HostedRow): boolean {
    const heard = heardAt.get(fileNameOf(row))
    const isSilent = heard === undefined || clock.monotonic() - heard > KEEP_MS
    return isSilent && clock.now() - row.acceptedAt > KEEP_MS
  }

  async function forgetOld(): Promise<void> {
    for (const row of await hosted.all()) if (isOld(row) && !isRunning(row)) await forget(row)
  }

  return {
    heard: key => void heardAt.set(fileNameOf(key), clock.monotonic()),
    gone: key => void heardAt.delete(fileNameOf(key)),
    isOld,
    occasionally() {
      if (clock.monotonic() - last < HOUR_MS) return
      last = clock.monotonic()
      work = forgetOld().catch(warn)
    },
    settled: () => work,
  }
}
