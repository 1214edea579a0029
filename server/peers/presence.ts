import type { Clock } from '#server/lib/clock.ts'
import type { Card, NodeId } from '#shared/model/index.ts'
import type { KnownPeer, PeerDirectory } from './directory.ts'

/** Between two looks at a node that answers, and at one that does not, ms. */
const LOOK_MS = 10_000
const MOST_MS = 60_000
/** After the first look that fails: a node that was just paired may not know us yet, one that restarts is back in a moment. */
const SOON_MS = 1_000

/** What is known of a node now. */
export interface Presence {
  readonly card: Card | null
  /** ms since 1970. */
  readonly lastSeenAt: number | null
  /** Why it does not answer; null while it does. */
  readonly problem: string | null
}

const UNSEEN: Presence = { card: null, lastSeenAt: null, problem: 'It was not asked yet.' }

/** Keeps cards fresh: asks each known node every 10 s, and less often while it does not answer. Without peers nothing runs. */
export interface PresenceBoard {
  of(id: NodeId): Presence
  /** Looks at once, at the nodes that offered least news. */
  look(id: NodeId): Promise<void>
  onChange(listener: () => void): () => void
  start(): void
  stop(): void
}

export function createPresence(deps: {
  directory: PeerDirectory
  /** @returns null of a node that does not tell what it offers. */
  ask(peer: KnownPeer): Promise<Card | null>
  clock: Clock
}): PresenceBoard {
  const { directory, ask, clock } = deps
  const board = new Map<NodeId, Presence>()
  const timers = new Map<NodeId, () => void>()
  /** Nodes that are being asked; one question at a time. */
  const looks = new Map<NodeId, Promise<void>>()
  const listeners = new Set<() => void>()
  let isOpen = false

  /** @param pause before this look, after one that failed */
  function look(id: NodeId, pause = SOON_MS / 2): Promise<void> {
    const peer = directory.get(id)
    const running = looks.get(id)
    if (running || !peer) return running ?? Promise.resolve()
    timers.get(id)?.()
    timers.delete(id)
    const asked = inspect(peer, pause).finally(() => looks.delete(id))
    looks.set(id, asked)
    return asked
  }

  async function inspect(peer: KnownPeer, pause: number): Promise<void> {
    const { id } = peer
    let next = LOOK_MS
    let seen: Presence
    try {
      const card = await ask(peer)
      if (card && card.node !== id) throw new Error(`Another node answers there: ${card.node}`)
      seen = { card, lastSeenAt: clock.now(), problem: null }
    } catch (error) {
      seen = { ...(board.get(id) ?? UNSEEN), problem: error instanceof Error ? error.message : String(error) }
      next = Math.min(2 * pause, MOST_MS)
    }
    // It may have been removed while it was asked.
    if (!directory.get(id)) return
    board.set(id, seen)
    if (isOpen)
      timers.set(
        id,
        clock.after(next, () => void look(id, seen.problem === null ? undefined : next)),
      )
    tell()
  }

  function tell(): void {
    for (const listener of listeners) listener()
  }

  function forget(id: NodeId): void {
    timers.get(id)?.()
    timers.delete(id)
    board.delete(id)
  }

  function follow(): void {
    for (const id of [...board.keys(), ...timers.keys()]) if (!directory.get(id)) forget(id)
    for (const { id } of directory.list()) if (!timers.has(id)) void look(id)
    tell()
  }

  let unsubscribe = () => {}
  return {
    of: id => board.get(id) ?? UNSEEN,
    look: id => look(id),
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    start() {
      isOpen = true
      unsubscribe = directory.onChange(follow)
      follow()
    },
    stop() {
      isOpen = false
      unsubscribe()
      for (const cancel of timers.values()) cancel()
      timers.clear()
    },
  }
}
