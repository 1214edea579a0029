import type { Clock } from '#server/lib/clock.ts'

/** Runs a task whenever asked to, and by itself when nobody asked for long; never twice at once, and never in a burst. */
export interface Repeat {
  now(): void
  stop(): void
}

/** @param deps.everyMs how long until it runs by itself, asked after each run; null for not at all */
export function createRepeat(deps: { run(): Promise<void>; apartMs: number; everyMs(): number | null; clock: Clock }): Repeat {
  const { run, apartMs, everyMs, clock } = deps
  let cancel = () => {}
  let endedAt = Number.NEGATIVE_INFINITY
  let isRunning = false
  let isWanted = false
  let isOpen = true

  function arm(ms: number): void {
    cancel()
    cancel = clock.after(ms, () => void start())
  }

  async function start(): Promise<void> {
    cancel()
    isRunning = true
    isWanted = false
    await run()
    isRunning = false
    endedAt = clock.monotonic()
    const next = isWanted ? apartMs : everyMs()
    if (isOpen && next !== null) arm(next)
  }

  return {
    now() {
      if (!isOpen) return
      if (isRunning) {
        isWanted = true
        return
      }
      const wait = endedAt + apartMs - clock.monotonic()
      if (wait <= 0) void start()
      else arm(wait)
    },
    stop() {
      isOpen = false
      cancel()
    },
  }
}
