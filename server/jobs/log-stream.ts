import type { Clock } from '#server/lib/clock.ts'
import type { BringingHome, Source } from './bringing-home.ts'

/** The log of an attempt on another node on its way home. */
export interface LogStream {
  /** Begins anew from where the file ends, over whatever way there is to the node now. */
  restart(): Promise<void>
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
  const begin = async () => {
    const source = sourceNow()
    if (source) await bringHome.log(source, over.signal)
  }
  let shipping = begin()
  const stop = () => {
    over.abort()
    return shipping
  }
  return {
    stop,
    async restart() {
      await stop()
      over = new AbortController()
      shipping = begin()
    },
    async ended(ms) {
      const cancel = clock.after(ms, () => over.abort())
      await shipping
      cancel()
    },
  }
}
