import type { Card } from '#shared/model/index.ts'
import type { SimNode } from './fleet.ts'
import type { World } from './rule.ts'

/** Snapshots of a card, of which one is shown when it is a service time old. */
const SNAPSHOTS = 4

/** Cards of all nodes as everybody sees them: one mean service time old. */
export interface AgedCards {
  begin(tellers: readonly (() => Card)[]): void
  /** All but its own. */
  seenBy(node: SimNode): readonly Card[]
  onChange(listener: () => void): () => void
}

export function agedCards({ timeline, fleet }: Pick<World, 'timeline' | 'fleet'>): AgedCards {
  const listeners = new Set<() => void>()
  const history: Card[][] = []
  let tellers: readonly (() => Card)[] = []

  function look(): void {
    history.push(tellers.map(tell => tell()))
    if (history.length > SNAPSHOTS + 1) history.shift()
    timeline.after(fleet.serviceMs / SNAPSHOTS, look)
    for (const listener of listeners) listener()
  }

  return {
    begin(given) {
      tellers = given
      look()
    },
    seenBy(node) {
      const seen = history[0] ?? []
      return [...seen.slice(0, node.index), ...seen.slice(node.index + 1)]
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
