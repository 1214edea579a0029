import type { Clock } from './clock.ts'
import { createSignal, type Disposable, type Listen } from './signal.ts'

/** Between two redraws, ms: at most ten a second. */
export const REDRAW_MS = 100

export interface Changes extends Disposable {
  /** Ids of rows that changed since the last time, each once; null: all of them. Never more often than every {@link REDRAW_MS}. */
  readonly listen: Listen<ReadonlySet<string> | null>
  /** A row changed; null: more than can be named. */
  mark(id: string | null): void
}

/** Collects what changed, and tells it at once when nothing was told lately, else when the pause is over. */
export function createChanges(clock: Clock): Changes {
  const signal = createSignal<ReadonlySet<string> | null>()
  let waiting: Set<string> | null = new Set()
  let timer: Disposable | null = null
  let last = Number.NEGATIVE_INFINITY

  function flush(): void {
    timer = null
    if (waiting?.size === 0) return
    last = clock.now()
    const told = waiting
    waiting = new Set()
    signal.emit(told)
  }
  return {
    listen: signal.listen,
    mark(id) {
      if (id === null) waiting = null
      else waiting?.add(id)
      timer ??= clock.after(Math.max(0, last + REDRAW_MS - clock.now()), flush)
    },
    dispose: () => timer?.dispose(),
  }
}
