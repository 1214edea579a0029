import type { Clock } from '#server/lib/clock.ts'
import type { MeshMember } from './peer-directory.ts'

/** Most machines of a mesh are no nodes: from the first failed probe to the next, and at most, ms. */
const FIRST_PAUSE_MS = 10_000
const LAST_PAUSE_MS = 5 * 60_000
/** Until a machine that is a node is looked at again, ms. */
const CHECK_MS = 60_000
/** Between two probes that somebody else asked for, ms. */
const KNOCK_MS = 1_000
const MOST_AT_ONCE = 16

interface Candidate {
  member: MeshMember
  /** On the monotonic clock, ms. */
  due: number
  pause: number
  probedAt: number
  isRunning: boolean
  /** It showed that it may be a node while it was being probed, which may have been too early. */
  isKnocking: boolean
}

/** Asks the machines of a mesh whether they are nodes: at once when they come, then ever less often. */
export interface Probing {
  /** These are there now, and no others. */
  follow(members: readonly MeshMember[]): void
  /** One of them has shown that it may be a node. @returns whether it is among them */
  soon(memberId: string): boolean
}

/** @param deps.isDone whether there is nothing to find out, as the node on that machine is known and answers */
export function createProbing(deps: {
  probe(member: MeshMember): Promise<void>
  isDone(member: MeshMember): boolean
  clock: Clock
}): Probing {
  const { probe, isDone, clock } = deps
  const candidates = new Map<string, Candidate>()
  let running = 0
  let cancel = () => {}

  function pump(): void {
    cancel()
    const now = clock.monotonic()
    const waiting = [...candidates.values()].filter(({ isRunning }) => !isRunning).sort((a, b) => a.due - b.due)
    for (const candidate of waiting) {
      if (candidate.due > now || running >= MOST_AT_ONCE) break
      if (isDone(candidate.member)) candidate.due = now + CHECK_MS
      else void run(candidate)
    }
    // What ends makes room for what is due already.
    const next = waiting.filter(({ isRunning, due }) => !isRunning && due > now).map(({ due }) => due)
    if (next.length > 0) cancel = clock.after(Math.min(...next) - now, pump)
  }

  async function run(candidate: Candidate): Promise<void> {
    running += 1
    candidate.isRunning = true
    candidate.probedAt = clock.monotonic()
    candidate.isKnocking = false
    const isNode = await probe(candidate.member).then(
      () => true,
      () => false,
    )
    running -= 1
    candidate.isRunning = false
    candidate.due = clock.monotonic() + (isNode ? CHECK_MS : candidate.pause)
    candidate.pause = isNode ? FIRST_PAUSE_MS : Math.min(2 * candidate.pause, LAST_PAUSE_MS)
    if (!isNode && candidate.isKnocking) hurry(candidate)
    pump()
  }

  /** A node that is known and answers has no news; that also keeps two nodes from knocking at each other for ever. */
  function hurry(candidate: Candidate): void {
    if (isDone(candidate.member)) return
    candidate.pause = FIRST_PAUSE_MS
    candidate.due = Math.min(candidate.due, Math.max(clock.monotonic(), candidate.probedAt + KNOCK_MS))
  }

  return {
    follow(members) {
      const ids = new Set(members.map(({ id }) => id))
      for (const id of candidates.keys()) if (!ids.has(id)) candidates.delete(id)
      for (const member of members) {
        const known = candidates.get(member.id)
        if (known && known.member.addresses[0] === member.addresses[0]) known.member = member
        else {
          const fresh = {
            member,
            due: clock.monotonic(),
            pause: FIRST_PAUSE_MS,
            probedAt: Number.NEGATIVE_INFINITY,
            isRunning: false,
            isKnocking: false,
          }
          candidates.set(member.id, fresh)
        }
      }
      pump()
    },
    soon(memberId) {
      const candidate = candidates.get(memberId)
      if (!candidate) return false
      if (candidate.isRunning) candidate.isKnocking = true
      else {
        hurry(candidate)
        pump()
      }
      return true
    },
  }
}
