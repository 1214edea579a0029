import type { Clock } from '#server/lib/clock.ts'

/** The attempts a node has room for: running ones, and room promised for seconds. Never more than `slots` together. */
export interface Reservations {
  /** @returns whether there was room. */
  reserve(id: string, ttlMs: number): boolean
  /** Turns what was reserved into a running attempt. @returns false when it has expired, was released, or was taken already. */
  take(id: string): boolean
  /** Lets go of what was reserved or taken under an id; unknown ones do nothing. */
  release(id: string): void
  busy(): number
  free(): number
  /** Called when there is more room than before. */
  onFree(listener: () => void): () => void
}

interface Held {
  isTaken: boolean
  cancelExpiry: () => void
}

export function createReservations({ slots, clock }: { slots: number; clock: Clock }): Reservations {
  const held = new Map<string, Held>()
  const listeners = new Set<() => void>()

  function release(id: string): void {
    const found = held.get(id)
    if (!found) return
    found.cancelExpiry()
    held.delete(id)
    for (const listener of listeners) listener()
  }

  return {
    reserve(id, ttlMs) {
      if (held.size >= slots || held.has(id)) return false
      held.set(id, { isTaken: false, cancelExpiry: clock.after(ttlMs, () => release(id)) })
      return true
    },
    take(id) {
      const found = held.get(id)
      if (!found || found.isTaken) return false
      found.cancelExpiry()
      found.isTaken = true
      return true
    },
    release,
    busy: () => held.size,
    free: () => slots - held.size,
    onFree(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
