/** What an attempt may say before somebody has taken it: its output waits for this, so that nothing has to be dropped. */
export interface Outflow {
  /** Fulfils when more may be said. */
  room(): Promise<void>
  /** Whether somebody waits for room: then silence means nothing. */
  isFull(): boolean
}

/** An outflow with what the home has. */
export interface HomeOutflow extends Outflow {
  /** Bytes were given to the log. @param accepted tells how many it has taken in all */
  logged(bytes: number, accepted: () => number): void
  /** Events were written, of so many characters together. */
  told(count: number, characters: number): void
  /**
   * What is safe at home: so many bytes of the log, and all events up to a number.
   * @param log null from a home that does not say, and takes what it is sent
   */
  acknowledge(safe: { readonly log: number | null; readonly n: number }): void
  /** Called when the home is to say what it has: half of the limit was given since it last did, or somebody waits. */
  onDue(listener: () => void): () => void
  /** The attempt is over: nobody waits any more. */
  open(): void
}

/**
 * Holds an attempt's output once more than `limitBytes` of it, log and events together, are not safe at its home: they are kept on
 * disk here, and whoever waits for room does not read what the agent says, which makes the agent wait.
 */
export function createOutflow(limitBytes: number): HomeOutflow {
  let [logSafe, logBytes, given] = [0, 0, 0]
  let accepted = () => 0
  /** Events that are not safe, by number. */
  const events: { n: number; characters: number }[] = []
  let [lastN, characters] = [0, 0]
  /** Bytes and characters given since the home last said what it has. */
  let unheard = 0
  let isOpen = false
  let waiting = 0
  let wake: (() => void)[] = []
  const listeners = new Set<() => void>()

  /** What was given is counted at once; what the log made of it (secrets are struck out, limits drop) is asked only when it matters. */
  function excess(): boolean {
    if (logBytes + given - logSafe + characters <= limitBytes) return false
    logBytes = accepted()
    given = 0
    return logBytes - logSafe + characters > limitBytes
  }

  const due = () => {
    for (const listener of listeners) listener()
  }

  /** Before it is full, so that a home that keeps up makes nobody wait. */
  function give(size: number): void {
    const before = unheard
    unheard += size
    if (before <= limitBytes / 2 && unheard > limitBytes / 2) due()
  }

  return {
    isFull: () => waiting > 0,
    async room() {
      if (isOpen || !excess()) return
      waiting += 1
      due()
      while (!isOpen && excess()) await new Promise<void>(resolve => wake.push(resolve))
      waiting -= 1
    },
    logged(bytes, tellAccepted) {
      given += bytes
      accepted = tellAccepted
      give(bytes)
    },
    told(count, length) {
      lastN += count
      characters += length
      events.push({ n: lastN, characters: length })
      give(length)
    },
    acknowledge({ log, n }) {
      unheard = 0
      logSafe = log === null ? Number.POSITIVE_INFINITY : Math.max(logSafe, log)
      for (let first = events[0]; first && first.n <= n; first = events[0]) {
        characters -= first.characters
        events.shift()
      }
      const woken = wake
      wake = []
      for (const resolve of woken) resolve()
    },
    onDue(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    open() {
      isOpen = true
      for (const resolve of wake) resolve()
      wake = []
    },
  }
}
