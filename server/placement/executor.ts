import type { IsolationLevel, JobSpec } from '#shared/model/index.ts'

/** A place an attempt could run. */
export interface Candidate {
  readonly executor: string
  readonly isolation: IsolationLevel
  readonly available: boolean
  /** Why not, and how to change that; for people. */
  readonly detail: string
  readonly remedy: string | null
}

export type Placement =
  | { readonly ok: true; readonly executor: string; readonly isolation: IsolationLevel; readonly why: string }
  | { readonly ok: false; readonly why: string; readonly remedy: string | null }

/** Chooses among the executors of this node, and says why. A job without a sandbox runs only where it says so itself. */
export function place(spec: Pick<JobSpec, 'executor' | 'sandbox'>, candidates: readonly Candidate[]): Placement {
  const candidate = candidates.find(({ executor }) => executor === spec.executor)
  if (!candidate) return { ok: false, why: `This node has no executor "${spec.executor}".`, remedy: null }
  if (spec.sandbox === 'none')
    return { ok: true, executor: candidate.executor, isolation: 'none', why: 'The job asked for no sandbox.' }
  if (!candidate.available)
    return { ok: false, why: `Executor "${spec.executor}" cannot make a sandbox: ${candidate.detail}`, remedy: candidate.remedy }
  return {
    ok: true,
    executor: candidate.executor,
    isolation: candidate.isolation,
    why: `Only executor of this node: ${candidate.detail}`,
  }
}
