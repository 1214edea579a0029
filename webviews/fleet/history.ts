import type { Card, Peer } from '#shared/model/index.ts'

/** How much of a node was taken, at one time. */
export interface Sample {
  /** ms since 1970 */
  readonly at: number
  readonly taken: number
  readonly slots: number
}
export type History = Readonly<Record<string, readonly Sample[]>>

/** What is kept of each node. */
const MOST = 240

/** Adds what a node is like now; a moment in which nothing changed replaces the one before it, so that long idle times cost nothing. */
export function withSample(history: History, node: string, sample: Sample): History {
  const before = history[node] ?? []
  const [previous, last] = before.slice(-2)
  const isSame = (one: Sample | undefined) => one?.taken === sample.taken && one.slots === sample.slots
  const kept = isSame(last) && isSame(previous) ? before.slice(0, -1) : before
  return { ...history, [node]: [...kept, sample].slice(-MOST) }
}

/**
 * The corners of a line through samples, as `points` of an SVG polyline: time goes right, taken goes up. Between two samples the first one
 * held, so the line has steps.
 */
export function linePoints(samples: readonly Sample[], now: number, width: number, height: number): string {
  const first = samples[0]
  if (!first) return ''
  const span = Math.max(1, now - first.at)
  const x = (at: number) => ((at - first.at) / span) * width
  const y = ({ taken, slots }: Sample) => height - (slots === 0 ? 0 : Math.min(1, taken / slots)) * height
  const points: [number, number][] = []
  for (const sample of samples) {
    const before = points.at(-1)
    if (before) points.push([x(sample.at), before[1]])
    points.push([x(sample.at), y(sample)])
  }
  points.push([width, points.at(-1)?.[1] ?? height])
  return points.map(([left, top]) => `${left.toFixed(1)},${top.toFixed(1)}`).join(' ')
}

/** Whether a value that was kept is a history. */
export const isHistory = (value: unknown): value is History =>
  typeof value === 'object' &&
  value !== null &&
  Object.values(value).every(samples => Array.isArray(samples) && samples.every(isSample))
const isSample = (value: Partial<Sample> | null): boolean =>
  [value?.at, value?.taken, value?.slots].every(part => Number.isFinite(part))

/** The peers after a message of their topic, those that are there first. */
export function withPeers(
  peers: readonly Peer[],
  change: { readonly whole: boolean; readonly items: readonly Peer[]; readonly removed: readonly string[] },
): readonly Peer[] {
  const known = new Map(change.whole ? [] : peers.map(peer => [peer.id as string, peer]))
  for (const peer of change.items) known.set(peer.id, peer)
  for (const id of change.removed) known.delete(id)
  const isAway = (peer: Peer) => Number(peer.state !== 'online')
  return [...known.values()].sort((a, b) => isAway(a) - isAway(b) || a.name.localeCompare(b.name))
}

export const sampleOf = ({ busy, slots }: Pick<Card, 'busy' | 'slots'>, at: number): Sample => ({ at, taken: busy, slots })
