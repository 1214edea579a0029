/** Everything that will happen, in order: the only source of progress in a simulation. Times are virtual ms from its start. */
export interface Timeline {
  now(): number
  /** Calls after `ms`; what is due at one time happens in the order it was asked for. @returns takes it back */
  after(ms: number, call: () => void): () => void
  /** Lets the next thing happen. @returns false when nothing is left before `until` */
  step(until?: number): boolean
  waiting(): number
}

interface Entry {
  readonly at: number
  readonly order: number
  call: (() => void) | null
}

const isBefore = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

/** A binary heap by time; what was taken back stays in it until its time. */
export function createTimeline(): Timeline {
  const heap: Entry[] = []
  let now = 0
  let order = 0
  let cancelled = 0

  function swap(one: number, other: number): void {
    const [a, b] = [heap[one], heap[other]]
    if (!a || !b) return
    heap[one] = b
    heap[other] = a
  }

  const before = (one: number, other: number): boolean => {
    const [a, b] = [heap[one], heap[other]]
    return a !== undefined && b !== undefined && isBefore(a, b)
  }

  function push(entry: Entry): void {
    heap.push(entry)
    for (let index = heap.length - 1; index > 0; ) {
      const parent = (index - 1) >> 1
      if (!before(index, parent)) return
      swap(index, parent)
      index = parent
    }
  }

  function pop(): Entry | undefined {
    swap(0, heap.length - 1)
    const first = heap.pop()
    for (let index = 0; ; ) {
      const [left, right] = [2 * index + 1, 2 * index + 2]
      const child = before(right, left) ? right : left
      if (!before(child, index)) return first
      swap(child, index)
      index = child
    }
  }

  return {
    now: () => now,
    after(ms, call) {
      const entry: Entry = { at: now + Math.max(0, ms), order: order++, call }
      push(entry)
      return () => {
        if (entry.call) cancelled += 1
        entry.call = null
      }
    },
    step(until = Number.POSITIVE_INFINITY) {
      for (;;) {
        const first = heap[0]
        if (!first || first.at > until) return false
        pop()
        if (!first.call) {
          cancelled -= 1
          continue
        }
        now = first.at
        const { call } = first
        first.call = null
        call()
        return true
      }
    },
    waiting: () => heap.length - cancelled,
  }
}

/** Turns of the real event loop are let in this often, for whoever waits outside. */
const STEPS_A_TURN = 5_000

/** Fulfils when every promise that could settle has: ticks come after all microtasks. */
const settled = (): Promise<void> => new Promise(resolve => process.nextTick(resolve))

/**
 * Lets things happen until `until`, each after everything the one before has led to without time passing.
 * @param after called between two; ends the run by returning true
 */
export async function run(timeline: Timeline, until: number, after: () => boolean = () => false): Promise<void> {
  await new Promise(resolve => setImmediate(resolve))
  for (let steps = 1; ; steps++) {
    await settled()
    if (after() || !timeline.step(until)) return
    if (steps % STEPS_A_TURN === 0) await new Promise(resolve => setImmediate(resolve))
  }
}
