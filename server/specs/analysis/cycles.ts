interface Edge {
  readonly task: string
  readonly after: string
}

/** A ring of tasks that wait for each other, and one of the dependencies that close it. */
export interface Cycle<D> {
  readonly ids: readonly string[]
  readonly dependency: D
}

/** Most rings that are found: one mended changes the others. */
const MOST_CYCLES = 100

/**
 * One ring for each dependency that leads back to where a walk came from, the first hundred of them. Takes time in proportion to
 * tasks and dependencies.
 */
export function cyclesOf<D extends Edge>(dependencies: readonly D[]): Cycle<D>[] {
  // Tasks that all wait for tasks of lower numbers make no ring: so it is in most documents.
  if (dependencies.every(({ task, after }) => numberOf(task) > numberOf(after))) return []
  const next = new Map<string, D[]>()
  for (const dependency of dependencies) {
    const known = next.get(dependency.task)
    if (known) known.push(dependency)
    else next.set(dependency.task, [dependency])
  }
  const cycles: Cycle<D>[] = []
  const left = new Set<string>()
  for (const start of next.keys()) {
    /** The way from `start` to where the walk is; a chain of tasks may be longer than a stack is deep. */
    const way: { task: string; at: number }[] = []
    const onWay = new Map<string, number>()
    const enter = (task: string): void => {
      onWay.set(task, way.length)
      way.push({ task, at: 0 })
    }
    if (!left.has(start)) enter(start)
    for (let here = way.at(-1); here; here = way.at(-1)) {
      const dependency = next.get(here.task)?.[here.at++]
      if (!dependency) {
        left.add(here.task)
        onWay.delete(here.task)
        way.pop()
        continue
      }
      const from = onWay.get(dependency.after)
      if (from !== undefined) {
        cycles.push({ ids: way.slice(from).map(({ task }) => task), dependency })
        if (cycles.length === MOST_CYCLES) return cycles
      } else if (!left.has(dependency.after)) enter(dependency.after)
    }
  }
  return cycles
}

/** Number of a task; of `T012a` that of `T012`, so that neither is above the other. */
const numberOf = (id: string): number => Number.parseInt(id.slice(1), 10)
