import type { Executor } from '#server/executors/index.ts'
import type { Clock } from '#server/lib/clock.ts'
import { atMost } from '#server/lib/within.ts'
import type { ExecutorCapacity, ExecutorKind } from '#shared/model/index.ts'

/** How long what an executor said is good for, ms: a cluster is asked for all its nodes and pods each time. */
const FRESH_MS = 10_000
/** The same where nothing depends on it: whoever looks whether the node lives does so all the time. */
const TOLD_MS = 60_000
/** Longest wait for it, ms: a bid must be there within 700. */
const ANSWER_MS = 400

/** What an executor said it can give, and when, on the monotonic clock. */
interface Heard {
  readonly capacity: ExecutorCapacity
  readonly at: number
}

/** What executors can give, without asking them more often than they can be asked. */
export interface ExecutorRoom {
  /** @returns null where it is what the machine can give, and where it cannot be found out in time */
  of(kind: string): Promise<{ readonly capacity: ExecutorCapacity; readonly ageMs: number } | null>
  /** What each said last, without waiting, and a minute ago at most; one that said nothing yet, or has nothing to say, is left out. */
  lastHeard(): readonly { readonly kind: ExecutorKind; readonly capacity: ExecutorCapacity }[]
}

export function createExecutorRoom({
  executors,
  clock,
}: {
  executors: readonly Pick<Executor, 'kind' | 'capacity'>[]
  clock: Clock
}): ExecutorRoom {
  const heard = new Map<string, Heard>()
  /** When each was asked last; fulfils once what it said is heard. */
  const asked = new Map<string, { at: number; answer: Promise<void> }>()

  async function ask(executor: Pick<Executor, 'kind' | 'capacity'>): Promise<void> {
    const at = clock.monotonic()
    // What cannot be found out is not known: nothing that was true before is held against a job.
    const capacity = await executor.capacity().catch(() => null)
    if (capacity === null) heard.delete(executor.kind)
    else heard.set(executor.kind, { capacity, at })
  }

  function freshen(executor: Pick<Executor, 'kind' | 'capacity'>, freshMs: number): Promise<void> {
    const now = clock.monotonic()
    const last = asked.get(executor.kind)
    if (last && now - last.at <= freshMs) return last.answer
    const answer = ask(executor)
    asked.set(executor.kind, { at: now, answer })
    return answer
  }

  return {
    async of(kind) {
      const executor = executors.find(one => one.kind === kind)
      if (!executor) return null
      await atMost(clock, ANSWER_MS, freshen(executor, FRESH_MS))
      const found = heard.get(kind)
      return found ? { capacity: found.capacity, ageMs: clock.monotonic() - found.at } : null
    },
    lastHeard() {
      for (const executor of executors) void freshen(executor, TOLD_MS)
      return executors.flatMap(({ kind }) => {
        const last = heard.get(kind)
        return last ? [{ kind, capacity: last.capacity }] : []
      })
    },
  }
}
