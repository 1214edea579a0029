import type { NodeId } from '#shared/model/index.ts'

/** How long an attempt took on this node, and what it is like. */
export interface RanRow {
  readonly agent: string
  readonly executor: string
  readonly model: string | null
  /** Name of the repository cache. */
  readonly repository: string | null
  readonly ms: number
}

/** What a node promised of an attempt of a job of ours, and what came of it, ms. */
export interface KeptRow {
  readonly node: NodeId
  readonly agent: string
  readonly executor: string
  readonly model: string | null
  readonly promised: { readonly startMs: number; readonly runMs: number }
  readonly actual: { readonly startMs: number; readonly runMs: number }
}

/** What an attempt's end teaches; written with it. */
export interface Lesson {
  readonly ran?: RanRow
  readonly kept?: KeptRow
}

/** What attempts have taught, as far back as is kept; oldest first. */
export interface LearnedStore {
  ran(): Promise<RanRow[]>
  kept(): Promise<KeptRow[]>
}
