import type { JobId } from '#shared/model/index.ts'

/** An agent's program, as the machine it runs on knows it. */
export interface RunningProgram {
  readonly node: string
  readonly jobId: JobId
  readonly epoch: number
  readonly pid: number
  /** Whether it does its work: not before its server has it on disk, and not while its machine sleeps. */
  isWorking: boolean
  /** Whether a server watches over it; one that was cut off from its server has nobody to end it. */
  isSupervised: boolean
  /** Whether its machine slept while it ran: then nobody could have ended it in time. */
  hasSlept: boolean
}

/** What really happened, as nobody inside the simulation can know it. */
export interface Ledger {
  /** Jobs a node said it accepted. */
  readonly accepted: Map<JobId, { readonly home: string; readonly key: string; readonly keepsBoth: boolean }>
  readonly cancelled: Set<JobId>
  readonly programs: Set<RunningProgram>
  /** Lines and reports that attempts wrote, by `job epoch`. */
  readonly lines: Map<string, number>
  readonly reports: Map<string, number>
  /** Where each attempt's agent was started, by `job epoch`. */
  readonly starts: Map<string, string[]>
  /** Commits that agents made, by `job epoch`. */
  readonly commits: Map<string, string>
  /** Events of a job that a reader was told, in their order. */
  readonly heard: Map<JobId, number>
  nextPid: number
  readonly violations: string[]
  /** Errors that servers told of: none of them is expected. */
  readonly errors: string[]
}

export const attemptName = (jobId: JobId, epoch: number): string => `${jobId} ${epoch}`

export const createLedger = (): Ledger => ({
  accepted: new Map(),
  cancelled: new Set(),
  programs: new Set(),
  lines: new Map(),
  reports: new Map(),
  starts: new Map(),
  commits: new Map(),
  heard: new Map(),
  nextPid: 1_000,
  violations: [],
  errors: [],
})

export function count(of: Map<string, number>, name: string): number {
  const before = of.get(name) ?? 0
  of.set(name, before + 1)
  return before
}
