import type { Clock } from '#server/lib/clock.ts'
import type { BringingHome, Source } from './bringing-home.ts'

/** How long bytes may be owed before the connection they should come by is taken for dead, ms. */
const STALLED_MS = 15_000

/** The log of an attempt on another node on its way home. */
export interface LogStream {
  /** Begins anew from where the file ends, over whatever way there is to the node now. */
  restart(): Promise<void>
  /** The node says that so many bytes more are there than were received: when none comes for a while, the connection is taken for dead. */
  owes(bytes: number, received: number): Promise<void>
  /** Waits for its end, but not for a connection that hangs: what is missing is asked for anew. */
  ended(ms: number): Promise<void>
  stop(): Promise<void>
}

/** @param sourceNow null while there is no way to the node */
export function startLogStream(
  { clock, bringHome }: { clock: Clock; bringHome: Pick<BringingHome, 'log'> },
  sourceNow: () => Source | null,
): LogStream {
  let over = new AbortController()
  /** What is owed, and since when nothing of it came. */
  let owed = { received: -1, since: clock.monotonic() }
  const begin = async () => {
    const source = sourceNow()
    if (source) await bringHome.log(source, over.signal)
  }
  let shipping = begin()
  const stop = () => {
    over.abort()
    return shipping
  }
  async function restart(): Promise<void> {
    await stop()
    over = new AbortController()
    owed = { received: -1, since: clock.monotonic() }
    shipping = begin()
  }

  return {
    stop,
    restart,
    async owes(bytes, received) {
      const now = clock.monotonic()
      if (bytes <= 0 || received !== owed.received) owed = { received, since: now }
      else if (now - owed.since > STALLED_MS) await restart()
    },
    async ended(ms) {
      const cancel = clock.after(ms, () => over.abort())
      await shipping
      cancel()
    },
  }
}
