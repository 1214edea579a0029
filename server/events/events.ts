import type { Store } from '#server/store/index.ts'
import { isEnd, type JobEvent } from '#shared/model/index.ts'
import type { Events } from './port.ts'

const PAGE = 500
/** Live events that may wait for a slow reader; past this they are dropped and read from the store again. */
const MAX_WAITING = 256

type EventStore = Pick<Store, 'onEvents' | 'events' | 'allEvents' | 'job' | 'log'>

/** What a follower needs to know of its topic. */
interface Source {
  page(after: number, limit: number): Promise<readonly JobEvent[]>
  cursor(event: JobEvent): number
  concerns(event: JobEvent): boolean
  /** Whether nothing more will ever come, asked when the store has been read to its end. */
  isOver(): Promise<boolean>
}

export function createEvents({ store }: { store: EventStore }): Events {
  return {
    followAll: (after, signal) =>
      follow(
        store,
        { page: store.allEvents, cursor: event => event.seq, concerns: () => true, isOver: async () => false },
        after,
        signal,
      ),
    follow(id, after, signal) {
      const source: Source = {
        page: (from, limit) => store.events(id, from, limit),
        cursor: event => event.n,
        concerns: event => event.jobId === id,
        // The end of a job is not its last event: the result comes home and the log is sealed after it.
        async isOver() {
          const [job, log] = await Promise.all([store.job(id), store.log(id)])
          return job === null || (isEnd(job.state) && log !== null)
        },
      }
      return follow(store, source, after, signal)
    },
  }
}

/**
 * Listens first and reads the store second, so that nothing falls between; what was heard while reading and is already known by
 * its cursor is skipped.
 */
async function* follow(store: EventStore, source: Source, after: number, signal: AbortSignal): AsyncGenerator<JobEvent> {
  let cursor = after
  let waiting: JobEvent[] = []
  let overflowed = false
  let wake = () => {}
  const unsubscribe = store.onEvents(events => {
    for (const event of events) {
      if (!source.concerns(event)) continue
      if (waiting.length >= MAX_WAITING) {
        overflowed = true
        break
      }
      waiting.push(event)
    }
    wake()
  })
  const onAbort = () => wake()
  signal.addEventListener('abort', onAbort)
  try {
    while (!signal.aborted) {
      overflowed = false
      waiting = []
      // Asked before the last page is read: what is stored after this answer is heard.
      const over = await source.isOver()
      for (let page = await source.page(cursor, PAGE); page.length > 0; page = await source.page(cursor, PAGE)) {
        for (const event of page) {
          if (signal.aborted) return
          cursor = source.cursor(event)
          yield event
        }
      }
      if (over) return
      let ended = false
      while (!signal.aborted && !overflowed && !ended) {
        const events = waiting
        waiting = []
        for (const event of events) {
          // Also where the last page had it already: it came after `isOver` was asked, so it has to be asked again.
          ended ||= event.body.type === 'log.sealed'
          if (source.cursor(event) <= cursor) continue
          cursor = source.cursor(event)
          yield event
        }
        if (waiting.length > 0 || overflowed || ended || signal.aborted) continue
        await new Promise<void>(resolve => {
          wake = resolve
        })
      }
      // A sealed log ends a job's topic and means nothing to the topic of all; both go round and ask.
    }
  } finally {
    unsubscribe()
    signal.removeEventListener('abort', onAbort)
  }
}
