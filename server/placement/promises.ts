import type { Correction, NodeId } from '#shared/model/index.ts'
import { classKeys, type JobClass } from './job-class.ts'

/** What a node promised of an attempt, and what came of it as its home saw it, ms. */
export interface Kept {
  readonly node: NodeId
  readonly agent: string
  readonly executor: string
  readonly model: string | null
  readonly promised: { readonly startMs: number; readonly runMs: number }
  readonly actual: { readonly startMs: number; readonly runMs: number }
}

/** How much of what is known counts on after another attempt: what was forty attempts ago counts an eighth. */
const DECAY = 0.95
/** Promises that a node is believed to have kept before it was ever seen to; they count less and less, as others do. */
const GIVEN_CREDIT = 2
/** Lateness of a start that is the network's and not the bidder's, ms. */
const GRACE_MS = 1_000

/** How far the promises of nodes can be believed, by node and class of job; kept by a home of those that ran its jobs. */
export interface Promises {
  add(kept: Kept): void
  /** What to make of the next promise of a node; of one that is not known, that it is true. */
  correction(node: NodeId, jobClass: Omit<JobClass, 'repository'>): Correction
}

const BELIEVED: Correction = { attempts: 0, lateMs: 0, runFactor: 1 }

/** Sums in which each attempt counts a little less than the one after it. */
interface Record_ {
  attempts: number
  /** Sum of the weights. */
  weight: number
  lateMs: number
  promisedRunMs: number
  actualRunMs: number
}

/** @param past what is remembered, oldest first */
export function createPromises(past: readonly Kept[] = []): Promises {
  const records = new Map<string, Record_>()
  /** The class, and the node with all it ever ran for us. */
  const keysOf = (node: NodeId, jobClass: Omit<JobClass, 'repository'>) => [
    `${node}\n${classKeys({ ...jobClass, repository: null })[1]}`,
    node,
  ]

  function add(kept: Kept): void {
    for (const key of keysOf(kept.node, kept)) {
      const record = records.get(key) ?? { attempts: 0, weight: 0, lateMs: 0, promisedRunMs: 0, actualRunMs: 0 }
      const late = Math.max(0, kept.actual.startMs - kept.promised.startMs - GRACE_MS)
      record.attempts += 1
      record.weight = record.weight * DECAY + 1
      record.lateMs = record.lateMs * DECAY + late
      record.promisedRunMs = record.promisedRunMs * DECAY + kept.promised.runMs
      record.actualRunMs = record.actualRunMs * DECAY + kept.actual.runMs
      records.set(key, record)
    }
  }

  for (const kept of past) add(kept)
  return {
    add,
    correction(node, jobClass) {
      const found = keysOf(node, jobClass).flatMap(key => records.get(key) ?? [])[0]
      return found ? correctionOf(found) : BELIEVED
    },
  }
}

/**
 * Starts come later by what they were late on average; runs take longer by the ratio of all that was taken to all that was promised.
 * A ratio within what chance makes of runs that vary by as much as they last (a standard error of 1/√n) counts for nothing, and nobody
 * is believed to be faster than promised.
 */
function correctionOf({ attempts, weight, lateMs, promisedRunMs, actualRunMs }: Record_): Correction {
  const ratio = actualRunMs / Math.max(1, promisedRunMs)
  const isChance = ratio <= 1 + 1 / Math.sqrt(weight)
  const credit = GIVEN_CREDIT * DECAY ** attempts
  const factor = (ratio * weight + credit) / (weight + credit)
  return {
    attempts,
    lateMs: Math.round(lateMs / (weight + credit)),
    runFactor: isChance ? 1 : Math.round(factor * 100) / 100,
  }
}
