import type { Clock } from '#server/lib/clock.ts'

/** Least time between two notes of one sandbox, ms: an image tells of each of its layers ten times a second. */
const PAUSE_MS = 2_000
const LONGEST = 500

/** Writes down how the making of a sandbox goes: at once what is new after a silence, else the latest of each pause. Repeats are left out. */
export function createNotes(clock: Clock, write: (line: string) => void) {
  let last: string | null = null
  let waiting: string | null = null
  let cancel: (() => void) | null = null

  function say(line: string): void {
    last = line
    write(line)
    cancel = clock.after(PAUSE_MS, () => {
      cancel = null
      const next = waiting
      waiting = null
      if (next !== null && next !== last) say(next)
    })
  }
  return {
    /** @param text of an executor, which may have it from a registry or a cluster */
    add(text: string): void {
      const line = text.replaceAll(/\s+/g, ' ').trim().slice(0, LONGEST)
      if (line === '') return
      if (cancel) waiting = line
      else if (line !== last) say(line)
    },
    /** What still waits is told now; no timer stays. */
    close(): void {
      cancel?.()
      cancel = null
      if (waiting !== null && waiting !== last) write(waiting)
      waiting = null
    },
  }
}
