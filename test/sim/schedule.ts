import type { Random } from './random.ts'

/** Something that goes wrong, at a time of the simulation, ms. What lasts ends by itself. */
export type Fault =
  | { readonly kind: 'cut'; readonly at: number; readonly from: string; readonly to: string; readonly ms: number }
  | { readonly kind: 'isolate'; readonly at: number; readonly node: string; readonly isToldOf: boolean; readonly ms: number }
  | {
      readonly kind: 'flap'
      readonly at: number
      readonly from: string
      readonly to: string
      readonly times: number
      readonly ms: number
    }
  | {
      readonly kind: 'weather'
      readonly at: number
      readonly from: string
      readonly to: string
      readonly loss: number
      readonly duplication: number
      readonly delayMs: number
      /** Whether all ways have it, not only this one. */
      readonly isEverywhere: boolean
      readonly ms: number
    }
  | {
      readonly kind: 'crash'
      readonly at: number
      readonly node: string
      readonly how: 'kill' | 'power'
      readonly orphans: boolean
      readonly ms: number
    }
  | {
      readonly kind: 'crash-at-write'
      readonly at: number
      readonly node: string
      readonly writes: number
      readonly when: 'before' | 'after'
      readonly how: 'kill' | 'power'
      readonly orphans: boolean
      readonly ms: number
    }
  | { readonly kind: 'stop'; readonly at: number; readonly node: string; readonly ms: number }
  | { readonly kind: 'pause'; readonly at: number; readonly node: string; readonly ms: number }
  | { readonly kind: 'step'; readonly at: number; readonly node: string; readonly byMs: number }
  | { readonly kind: 'slow-disk'; readonly at: number; readonly node: string; readonly times: number; readonly ms: number }

type Kind = Fault['kind']
const KINDS: readonly Kind[] = [
  'cut',
  'isolate',
  'flap',
  'weather',
  'crash',
  'crash-at-write',
  'stop',
  'pause',
  'step',
  'slow-disk',
]

/**
 * What goes wrong in a run. Each run has only some of the kinds, so that one that ends everything early does not hide the others
 * (swarm testing, Groce et al. 2012); one run in eight has none.
 */
export function createSchedule(random: Random, nodes: readonly string[], span: { ms: number; leaseMs: number }): Fault[] {
  if (random.chance(1 / 8)) return []
  const kinds = KINDS.filter(() => random.chance(0.4))
  const count = kinds.length === 0 ? 0 : 3 + random.int(10)
  const faults = Array.from({ length: count }, () => createFault(random, random.pick(kinds), nodes, span))
  return faults.toSorted((a, b) => a.at - b.at)
}

function createFault(random: Random, kind: Kind, nodes: readonly string[], span: { ms: number; leaseMs: number }): Fault {
  const at = Math.floor(random.between(0, span.ms))
  const node = random.pick(nodes)
  const from = node
  const to = random.pick(nodes.filter(other => other !== from))
  // As long as a blink, as a lease, or as several.
  const ms = Math.floor(
    random.pick([random.between(50, 5_000), random.between(0.5, 1.5) * span.leaseMs, random.between(1.2, 4) * span.leaseMs]),
  )
  const how = random.chance(0.3) ? ('power' as const) : ('kill' as const)
  const orphans = random.chance(0.3)
  switch (kind) {
    case 'cut':
      return { kind, at, from, to, ms }
    case 'isolate':
      return { kind, at, node, isToldOf: random.chance(0.5), ms }
    case 'flap':
      return { kind, at, from, to, times: 2 + random.int(8), ms: Math.floor(random.between(200, 20_000)) }
    case 'weather':
      return {
        kind,
        at,
        from,
        to,
        loss: random.chance(0.5) ? random.between(0, 0.5) : 0,
        duplication: random.chance(0.5) ? random.between(0, 1) : 0,
        delayMs: random.chance(0.5) ? random.between(10, 5_000) : 5,
        isEverywhere: random.chance(0.5),
        ms: 4 * ms,
      }
    case 'crash':
      return { kind, at, node, how, orphans, ms }
    case 'crash-at-write':
      return { kind, at, node, writes: 1 + random.int(40), when: random.pick(['before', 'after']), how, orphans, ms }
    case 'stop':
    case 'pause':
      return { kind, at, node, ms }
    case 'step':
      return { kind, at, node, byMs: Math.floor(random.between(-2, 2) * 3_600_000) }
    case 'slow-disk':
      return { kind, at, node, times: Math.floor(random.between(10, 2_000)), ms }
  }
}

/** A fault in a line, for people. */
export function describeFault(fault: Fault): string {
  const { kind, at, ...rest } = fault
  const parts = Object.entries(rest).map(
    ([name, value]) => `${name}=${typeof value === 'number' ? Number(value.toFixed(3)) : value}`,
  )
  return `${(at / 1_000).toFixed(1).padStart(7)} s  ${kind} ${parts.join(' ')}`
}
