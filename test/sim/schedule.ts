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
  | CutAtAnswer

/** The way between two nodes is cut when one answers the other: what was asked is done, and who asked may never hear so. */
export interface CutAtAnswer {
  readonly kind: 'cut-at-answer'
  readonly at: number
  readonly operation: 'announce' | 'award' | 'renew' | 'settleAttempt'
  /** It is the so-manieth such answer since `at`; the first is 1. */
  readonly nth: number
  /** Whether that answer still arrives. */
  readonly isHeard: boolean
  /** How long both ways are cut then, and both nodes told at once that they are; 0: only the answer is lost. */
  readonly ms: number
}

/** What a run has beside chance: a moment that chance would seldom find. */
export type Drill = 'lost-answers' | 'long-partitions' | 'much-to-tell'

type Kind = Exclude<Fault['kind'], 'cut-at-answer'>
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

/** The faults of a drill. */
export function createDrill(random: Random, drill: Drill, span: { ms: number; leaseMs: number }): CutAtAnswer[] {
  const at = () => Math.floor(random.between(0, span.ms / 2))
  const cut = (operation: CutAtAnswer['operation'], nth: number, isHeard: boolean, leases: number): CutAtAnswer => {
    return { kind: 'cut-at-answer', at: at(), operation, nth, isHeard, ms: Math.floor(leases * span.leaseMs) }
  }
  const faults: CutAtAnswer[] = []
  switch (drill) {
    case 'lost-answers':
      // The first lease outlives one lost answer, not two.
      faults.push(cut('award', 1 + random.int(3), false, 0))
      faults.push(cut('announce', 1 + random.int(6), false, 0), cut('settleAttempt', 1 + random.int(4), false, 0))
      break
    case 'long-partitions':
      for (let count = 2 + random.int(3); count > 0; count--) {
        if (random.chance(0.4)) faults.push(cut('award', 1 + random.int(2), false, random.between(0.3, 1.6)))
        else faults.push(cut('renew', 1 + random.int(8), true, random.between(0.9, 1.7)))
      }
      break
    case 'much-to-tell':
      for (let nth = 1; nth <= 3; nth++) faults.push(cut('award', nth, true, random.between(0.2, 0.5)))
  }
  return faults.toSorted((a, b) => a.at - b.at)
}

/** Whether everything is as if nothing went wrong, but for single answers that are lost: nothing that costs an attempt. */
export const isMild = (faults: readonly Fault[]): boolean =>
  faults.every(fault => fault.kind === 'cut-at-answer' && !fault.isHeard && fault.ms === 0)

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
