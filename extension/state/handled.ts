import type { Memory } from './started.ts'

/** Most jobs that are remembered. */
const MOST = 1000

/** What the person did with a result. */
export type Handling = 'applied' | 'discarded'

/** What became of results, beyond reloads. */
export interface Handled {
  get(id: string): Handling | undefined
  set(id: string, handling: Handling): void
}

export function createHandled(memory: Memory): Handled {
  const KEY = 'skein.handled'
  const known = new Map(memory.get<readonly (readonly [string, Handling])[]>(KEY, []))
  return {
    get: id => known.get(id),
    set(id, handling) {
      known.delete(id)
      known.set(id, handling)
      void memory.update(KEY, [...known].slice(-MOST))
    },
  }
}
