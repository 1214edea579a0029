/** Most jobs that are remembered. */
const MOST = 500

/** What survives a reload of the window; the editor's Memento fits. */
export interface Memory {
  get<T>(key: string, otherwise: T): T
  update(key: string, value: unknown): PromiseLike<void>
}

/** Jobs that were started in this workspace: of their end the person is told. */
export interface Started {
  add(id: string): void
  has(id: string): boolean
}

export function createStarted(memory: Memory): Started {
  const KEY = 'skein.started'
  const ids = new Set(memory.get<readonly string[]>(KEY, []))
  return {
    add(id) {
      ids.add(id)
      void memory.update(KEY, [...ids].slice(-MOST))
    },
    has: id => ids.has(id),
  }
}
