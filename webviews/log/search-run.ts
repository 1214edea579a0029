import { MOST_MATCHES, searchStep } from './search.ts'
import type { LogStore } from './store.ts'

/** A search that keeps up with its log, a few milliseconds of work at a time. */
export interface SearchRun {
  readonly query: string
  /** Numbers of the lines that fit so far. */
  readonly matches: readonly number[]
  /** Lines looked through so far. */
  readonly done: number
  /** More came to the log. */
  more(): void
  stop(): void
}

/** @param fetchBlocks puts blocks back that a step needs @param changed told after each step */
export function runSearch(
  store: LogStore,
  query: string,
  fetchBlocks: (blocks: readonly number[]) => Promise<void>,
  changed: () => void,
): SearchRun {
  const matches: number[] = []
  let done = 0
  let isStopped = false
  let isRunning = false

  /** The last line may still grow: it is looked at once another follows. */
  const until = () => Math.max(0, store.count - 1)

  async function work(): Promise<void> {
    if (isRunning) return
    isRunning = true
    try {
      while (!isStopped && done < until() && matches.length < MOST_MATCHES) {
        const step = searchStep(store, query, done, until())
        for (const line of step.found) matches.push(line)
        done = step.done
        if (step.missing.length > 0) await fetchBlocks(step.missing)
        changed()
        await new Promise(resolve => setTimeout(resolve))
      }
    } catch {
      // Without the block it goes no further; whoever reads the log is told of the node that is away.
    } finally {
      isRunning = false
    }
  }
  void work()
  return {
    query,
    matches,
    get done() {
      return done
    },
    more: () => void work(),
    stop() {
      isStopped = true
    },
  }
}
