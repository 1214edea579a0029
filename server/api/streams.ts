/** What is left of an iterable. */
export interface Source<T = Uint8Array> {
  next(): Promise<IteratorResult<T>>
  return(value?: unknown): Promise<unknown>
}

/** Pulls the first item, so that a failure to start is still a status. @throws what the iterable throws. */
export async function firstStarted<T>(items: AsyncIterable<T>): Promise<Source<T>> {
  const iterator = items[Symbol.asyncIterator]()
  let first: IteratorResult<T> | null = await iterator.next()
  return {
    next: async () => {
      const item = first ?? (await iterator.next())
      first = null
      return item
    },
    return: async () => void (await iterator.return?.()),
  }
}

/**
 * A body that asks its source for the next bytes only when the connection has taken the last ones. A caller that goes away ends
 * the source. @param broken told when the source fails; the stream then just ends, for whoever reads it cannot help any more.
 */
export function byteStream(source: Source, broken: (cause: unknown) => void): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await source.next()
          if (done) controller.close()
          else controller.enqueue(value)
        } catch (cause) {
          broken(cause)
          controller.close()
        }
      },
      async cancel() {
        await source.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}

/** The items of an iterable until one of the signals aborts; then it ends, even while an item is awaited. */
export async function* until<T>(signals: readonly AbortSignal[], items: AsyncIterable<T>): AsyncGenerator<T> {
  const iterator = items[Symbol.asyncIterator]()
  let wake = () => {}
  const end = () => wake()
  for (const signal of signals) signal.addEventListener('abort', end)
  try {
    while (!signals.some(signal => signal.aborted)) {
      // A promise of its own for each item: reactions on one that outlives them all would pile up.
      const ended = new Promise<null>(resolve => {
        wake = () => resolve(null)
      })
      const item = await Promise.race([ended, iterator.next()])
      if (!item || item.done) return
      yield item.value
    }
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', end)
    // Not awaited: an iterator that is still waiting for its next item would not answer before it has one.
    iterator.return?.().catch(() => {})
  }
}
