import { classKeys, type JobClass } from './job-class.ts'

/** How long an attempt took on this node. */
export interface Ran extends JobClass {
  readonly ms: number
}

/** Run times kept in memory for a class, the latest; more would answer for how things were long ago. */
const MOST_KEPT = 64
/** Run times below which a class asks the coarser one; the coarsest has to do with what there is. */
const ENOUGH = 3

/** Run times of attempts on this node, by class. */
export interface History {
  add(ran: Ran): void
  /** Run times of the finest class of which enough is known, ms, rising; empty without any. */
  of(jobClass: JobClass): readonly number[]
}

/** @param past what is remembered, oldest first */
export function createHistory(past: readonly Ran[] = []): History {
  const latest = new Map<string, number[]>()
  const sorted = new Map<string, readonly number[]>()

  function add(ran: Ran): void {
    for (const key of classKeys(ran)) {
      const kept = latest.get(key) ?? []
      kept.push(ran.ms)
      if (kept.length > MOST_KEPT) kept.shift()
      latest.set(key, kept)
      sorted.delete(key)
    }
  }

  function inOrder(key: string): readonly number[] {
    const found = sorted.get(key) ?? [...(latest.get(key) ?? [])].sort((a, b) => a - b)
    sorted.set(key, found)
    return found
  }

  for (const ran of past) add(ran)
  return {
    add,
    of(jobClass) {
      const keys = classKeys(jobClass)
      return inOrder(keys.find(key => (latest.get(key)?.length ?? 0) >= ENOUGH) ?? keys.at(-1) ?? '')
    },
  }
}
