import type { Topic } from '#shared/contract/index.ts'
import type { Item } from './host.ts'

/** Where a subscription stands, over as many connections as it takes. */
export interface Position {
  /** The last thing seen; null before the first. What to subscribe with. */
  readonly cursor: number | null
  /**
   * Takes what a connection brought.
   * @returns what of it is to be shown; `seen` when nothing is; `gap` when something before it is missing, so that the connection has to be
   * made again from `cursor`.
   */
  take(item: Item, cursor: number | null): Item | 'seen' | 'gap'
  /** The server said where it begins. */
  begin(cursor: number | null): void
}

export function createPosition(topic: Topic, from: number | null): Position {
  let cursor = from

  function event(item: Extract<Item, { type: 'event' }>): Item | 'seen' | 'gap' {
    const number = topic.name === 'job' ? item.event.n : item.event.seq
    if (cursor !== null && number <= cursor) return 'seen'
    // Events of one job are numbered without gaps; those of a node need not be, once some are pruned.
    if (topic.name === 'job' && number > (cursor ?? 0) + 1) return 'gap'
    cursor = number
    return item
  }

  function log(item: Extract<Item, { type: 'log' }>): Item | 'seen' | 'gap' {
    const at = cursor ?? 0
    if (item.offset > at) return 'gap'
    const bytes = item.bytes.subarray(at - item.offset)
    if (bytes.length === 0) return 'seen'
    cursor = at + bytes.length
    return { type: 'log', offset: at, bytes }
  }

  return {
    get cursor() {
      return cursor
    },
    begin(at) {
      cursor ??= at
    },
    take(item, at) {
      switch (item.type) {
        case 'event':
          return event(item)
        case 'log':
          return log(item)
        case 'peers':
          cursor = at ?? cursor
          return item
        case 'end':
        case 'error':
          return item
      }
    },
  }
}
