import type { Clock } from '#server/lib/clock.ts'
import type { Log } from '#server/telemetry/index.ts'

/** That a node takes no more attempts. Times are ms since 1970. */
export interface DrainState {
  readonly since: number
  /** When attempts of others are given back; null: they may finish. */
  readonly handBackAt: number | null
}

/** Where it is kept, so that a restart does not undo it. */
export interface DrainFile {
  /** @returns null for a node that takes attempts */
  load(): Promise<DrainState | null>
  /** On disk when it fulfils. */
  save(state: DrainState | null): Promise<void>
}

/** Whether this node takes attempts: its own as well as those of others. */
export interface Drain {
  isDraining(): boolean
  state(): DrainState | null
  /** @param handBackAfterMs until attempts of others are given back; null: they may finish */
  begin(handBackAfterMs: number | null): Promise<void>
  end(): Promise<void>
  /** Called when attempts are taken again. */
  onEnd(listener: () => void): () => void
  /** Takes up what an earlier server was told. */
  start(): Promise<void>
  stop(): void
}

/** @param handBack called once when the time for it has come, after a restart too */
export function createDrain(deps: { file: DrainFile; clock: Clock; log: Log; handBack(): void }): Drain {
  const { file, clock, log, handBack } = deps
  const listeners = new Set<() => void>()
  let state: DrainState | null = null
  let cancelTimer = () => {}

  function follow(next: DrainState | null): void {
    state = next
    cancelTimer()
    cancelTimer = () => {}
    if (next?.handBackAt == null) return
    cancelTimer = clock.after(Math.max(0, next.handBackAt - clock.now()), () => {
      log.info('Attempts of other nodes are given back to them')
      handBack()
    })
  }

  async function set(next: DrainState | null): Promise<void> {
    await file.save(next)
    follow(next)
  }

  return {
    isDraining: () => state !== null,
    state: () => state,
    async begin(handBackAfterMs) {
      const now = clock.now()
      await set({ since: state?.since ?? now, handBackAt: handBackAfterMs === null ? null : now + handBackAfterMs })
    },
    async end() {
      await set(null)
      for (const listener of listeners) listener()
    },
    onEnd(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async start() {
      follow(await file.load())
    },
    stop: () => cancelTimer(),
  }
}
