/**
 * One life of a server. What reaches it from outside (a timer, the disk, the network) comes through `deliver`: not at all once it
 * has ended, and later while it is not let run. So a server that is killed simply never hears of anything again.
 */
export interface ServerProcess {
  isAlive(): boolean
  isPaused(): boolean
  deliver(call: () => void): void
  /** Like `deliver`, and before all that came otherwise when it is let run again: timers that are due go first. */
  deliverTimer(call: () => void): void
  pause(): void
  resume(): void
  end(how: End): void
  /** Called when it ends. */
  onEnd(listener: (how: End) => void): () => void
}

/** The machine goes on and closes the connections of the server, or the power is gone and nobody hears a word. */
export type End = 'kill' | 'power'

export function createServerProcess(): ServerProcess {
  const timers: (() => void)[] = []
  const waiting: (() => void)[] = []
  const listeners = new Set<(how: End) => void>()
  let isAlive = true
  let isPaused = false

  function take(queue: (() => void)[], call: () => void): void {
    if (!isAlive) return
    if (isPaused) queue.push(call)
    else call()
  }

  return {
    isAlive: () => isAlive,
    isPaused: () => isPaused,
    deliver: call => take(waiting, call),
    deliverTimer: call => take(timers, call),
    pause() {
      isPaused = true
    },
    resume() {
      isPaused = false
      for (const call of [...timers.splice(0), ...waiting.splice(0)]) if (isAlive) call()
    },
    end(how) {
      if (!isAlive) return
      isAlive = false
      for (const listener of listeners) listener(how)
    },
    onEnd(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
