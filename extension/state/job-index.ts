import type { JobId, JobSummary } from '#shared/model/index.ts'
import { type JobEntry, newestFirst } from './job-entry.ts'

/** Jobs in lists, newest first, by something that each of them has one of. */
export interface JobIndex<Key extends string> {
  /** Of the lists that have something in them; in no order. */
  keys(): Iterable<Key>
  list(key: Key): readonly JobEntry[]
  /** Puts an entry in the place of the one before, which may stand in another list. */
  put(before: JobEntry | undefined, entry: JobEntry): void
  clear(): void
}

/** @param keyOf which list a job belongs to */
export function createJobIndex<Key extends string>(keyOf: (summary: JobSummary) => Key): JobIndex<Key> {
  const lists = new Map<Key, JobEntry[]>()

  function take({ summary }: JobEntry): void {
    const key = keyOf(summary)
    const list = lists.get(key) ?? []
    const at = positionOf(list, summary)
    if (isAt(list, at, summary.id)) list.splice(at, 1)
    if (list.length === 0) lists.delete(key)
  }
  return {
    keys: () => lists.keys(),
    list: key => lists.get(key) ?? [],
    put(before, entry) {
      const { summary } = entry
      const key = keyOf(summary)
      if (before && (keyOf(before.summary) !== key || before.summary.createdAt !== summary.createdAt)) take(before)
      const list = lists.get(key) ?? []
      lists.set(key, list)
      const at = positionOf(list, summary)
      if (isAt(list, at, summary.id)) list[at] = entry
      else list.splice(at, 0, entry)
    },
    clear: () => lists.clear(),
  }
}

const isAt = (list: readonly JobEntry[], at: number, id: JobId) => list[at]?.summary.id === id

/** Where a job stands in a list, or would. */
export function positionOf(list: readonly JobEntry[], summary: JobSummary): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >> 1
    const entry = list[middle]
    if (entry && newestFirst(entry.summary, summary) < 0) low = middle + 1
    else high = middle
  }
  return low
}
