import type { Random } from '../random.ts'
import type { Timeline } from '../timeline.ts'
import type { SimFleet, SimJob, SimNode } from './fleet.ts'

/** What it took to place a job. */
export interface Cost {
  /** Requests between nodes, each with its answer: announcements, awards, releases. */
  readonly messages: number
  /** The most of them in one round. */
  readonly mostMessages: number
  /** Announcements of the job, or guesses. */
  readonly rounds: number
}

/** A way to place jobs. */
export interface Rule {
  /** Lets a node be busy from the start: a job takes one of its slots without being placed. */
  occupy(node: SimNode, work: number): void
  /** Places a job and runs it; `started` is called when it has a slot. */
  place(job: SimJob, started: (cost: Cost, where: SimNode) => void): void
}

export interface World {
  readonly timeline: Timeline
  readonly random: Random
  readonly fleet: SimFleet
  readonly seed: string
}

export type MakeRule = (world: World) => Rule

/** One way of a message, ms: far below the time a job takes. */
export const delay = (random: Random): number => 2 + random.exponential(1)
