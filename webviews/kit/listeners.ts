/** Those who want to be told that something changed. */
export function createListeners(): { tell(): void; add(listener: () => void): () => void } {
  const listeners = new Set<() => void>()
  return {
    tell: () => {
      for (const listener of [...listeners]) listener()
    },
    add(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
