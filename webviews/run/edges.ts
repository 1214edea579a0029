import type { SpecTask } from '#shared/model/index.ts'

/** One task waits for another. */
export interface Edge {
  readonly from: string
  readonly to: string
}

/** Lines that are drawn; what is more stands in the words of each task alone. */
export const MOST_EDGES = 2_000

/** What waits for what, each once, where both are tasks of the feature. */
export function edgesOf(tasks: readonly Pick<SpecTask, 'id' | 'after'>[]): readonly Edge[] {
  const known = new Set(tasks.map(({ id }) => id))
  return tasks.flatMap(({ id: to, after }) =>
    [...new Set(after)].filter(from => known.has(from) && from !== to).map(from => ({ from, to })),
  )
}

/** Tasks that wait for each, in the order of the document. */
export function waitersOf(edges: readonly Edge[]): ReadonlyMap<string, readonly string[]> {
  const waiters = new Map<string, string[]>()
  for (const { from, to } of edges) {
    const known = waiters.get(from)
    if (known) known.push(to)
    else waiters.set(from, [to])
  }
  return waiters
}

/** Where a card stands, px. */
export interface Box {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
}

/** How far lines beside the cards stand off, px. */
const ASIDE = 18

/**
 * The line from one card to another, as the `d` of a path: down into what stands below, else around the right side. What is below in the same
 * column and not next has others in between, which a straight line would seem to lead through.
 */
export function pathOf(from: Box, to: Box): string {
  const [x1, y1] = [from.left + from.width / 2, from.top + from.height]
  const [x2, y2] = [to.left + to.width / 2, to.top]
  const isFar = y2 - y1 > from.height && Math.abs(x1 - x2) < from.width / 2
  if (y2 > y1 && !isFar) {
    const middle = Math.round((y1 + y2) / 2)
    return `M ${round(x1)} ${round(y1)} C ${round(x1)} ${middle} ${round(x2)} ${middle} ${round(x2)} ${round(y2)}`
  }
  const [r1, m1] = [from.left + from.width, from.top + from.height / 2]
  const [r2, m2] = [to.left + to.width, to.top + to.height / 2]
  const right = round(Math.max(r1, r2) + ASIDE)
  return `M ${round(r1)} ${round(m1)} C ${right} ${round(m1)} ${right} ${round(m2)} ${round(r2)} ${round(m2)}`
}

const round = (px: number): number => Math.round(px)
