import type { Clock } from '#server/lib/clock.ts'
import type { JobClass } from './job-class.ts'

/** Attempts that have a place, and for how long; and those that wait, in the order in which they start. */
export interface Occupancy {
  readonly running: readonly { readonly jobClass: JobClass; readonly elapsedMs: number }[]
  readonly waiting: readonly JobClass[]
}

/**
 * The places of a node: slots, in which attempts run, and waiting places, from which they move up. Both are promised for seconds
 * by a bid and taken by its award. Never more than `slots` run, and never more than `waitingPlaces` wait.
 */
export interface Reservations {
  /**
   * Promises a slot or, where none is free and the job may wait, a waiting place.
   * @param options.to who it is promised to, where that counts
   * @returns how many attempts must end before it starts, 0 for a slot; null when there is no room.
   */
  reserve(id: string, ttlMs: number, jobClass: JobClass, options?: { mayWait?: boolean; to?: string | null }): number | null
  /** Turns a promise into an attempt. @returns false when it has expired, was released, or was taken already. */
  take(id: string): boolean
  /** Fulfils when what was taken has its slot; with false when it was sent back or released before. @throws the signal's reason */
  slot(id: string, signal: AbortSignal): Promise<boolean>
  /** Lets go of what was reserved or taken under an id; unknown ones do nothing. */
  release(id: string): void
  /** Lets go of all that wait: their homes look for another node. */
  sendBack(): void
  occupancy(): Occupancy
  /** Slots that run something or are promised. */
  busy(): number
  free(): number
  /** Waiting places that are taken or promised. */
  waiting(): number
  /** Places promised to one that it has not taken. */
  promisedTo(who: string): number
  readonly slots: number
  readonly waitingPlaces: number
  /** Called when there is more room than before. */
  onFree(listener: () => void): () => void
}

interface Held {
  readonly jobClass: JobClass
  readonly to: string | null
  isTaken: boolean
  /** Monotonic time it got its slot, ms; null while it waits. */
  since: number | null
  cancelExpiry: () => void
  /** Tells who asked for the slot. */
  settle: (hasSlot: boolean) => void
}

export function createReservations({
  slots,
  waitingPlaces,
  clock,
}: {
  slots: number
  waitingPlaces: number
  clock: Clock
}): Reservations {
  /** In the order they came. */
  const held = new Map<string, Held>()
  const listeners = new Set<() => void>()

  const all = () => [...held.values()]
  const busy = () => all().filter(({ since }) => since !== null).length
  const waiting = () => held.size - busy()

  /** Slots go to the first that wait and are taken: a promise holds up nobody, it keeps its turn. */
  function moveUp(): void {
    let free = slots - busy()
    for (const one of held.values()) {
      if (free <= 0) return
      if (one.since !== null || !one.isTaken) continue
      one.since = clock.monotonic()
      free -= 1
      one.settle(true)
    }
  }

  function drop(id: string): boolean {
    const found = held.get(id)
    if (!found) return false
    found.cancelExpiry()
    held.delete(id)
    found.settle(false)
    return true
  }

  function release(id: string): void {
    if (!drop(id)) return
    moveUp()
    for (const listener of listeners) listener()
  }

  return {
    slots,
    waitingPlaces,
    reserve(id, ttlMs, jobClass, { mayWait = true, to = null } = {}) {
      if (held.has(id)) return null
      const hasSlot = held.size < slots
      if (!hasSlot && (!mayWait || waiting() >= waitingPlaces)) return null
      const before = Math.max(0, held.size + 1 - slots)
      const cancelExpiry = clock.after(ttlMs, () => release(id))
      held.set(id, { jobClass, to, isTaken: false, since: hasSlot ? clock.monotonic() : null, cancelExpiry, settle: () => {} })
      return before
    },
    take(id) {
      const found = held.get(id)
      if (!found || found.isTaken) return false
      found.cancelExpiry()
      found.isTaken = true
      if (found.since !== null) found.since = clock.monotonic()
      moveUp()
      return true
    },
    slot(id, signal) {
      const found = held.get(id)
      if (!found) return Promise.resolve(false)
      if (found.since !== null) return Promise.resolve(true)
      return new Promise((resolve, reject) => {
        const aborted = () => {
          found.settle = () => {}
          reject(signal.reason)
        }
        if (signal.aborted) return aborted()
        signal.addEventListener('abort', aborted, { once: true })
        found.settle = hasSlot => {
          signal.removeEventListener('abort', aborted)
          resolve(hasSlot)
        }
      })
    },
    release,
    sendBack() {
      const sent = [...held].filter(([, { since }]) => since === null)
      for (const [id] of sent) drop(id)
      if (sent.length > 0) for (const listener of listeners) listener()
    },
    occupancy() {
      const now = clock.monotonic()
      return {
        running: all().flatMap(({ jobClass, since }) => (since === null ? [] : [{ jobClass, elapsedMs: now - since }])),
        waiting: all().flatMap(({ jobClass, since }) => (since === null ? [jobClass] : [])),
      }
    },
    busy,
    free: () => Math.max(0, slots - held.size),
    waiting,
    promisedTo: who => all().filter(({ to, isTaken }) => to === who && !isTaken).length,
    onFree(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
