import type { SpecJob } from './spec.ts'

/** Whether a job proves its task done, so that the box may be ticked: it succeeded, and checks say so, not its agent. */
export const isEvidence = ({ state, checks }: Pick<SpecJob, 'state' | 'checks'>): boolean =>
  state === 'succeeded' && checks.all > 0 && checks.green === checks.all
