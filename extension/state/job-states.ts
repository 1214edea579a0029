import type { JobState } from '#shared/model/index.ts'

/** How the editor groups jobs, in this order. */
export const GROUPS = ['active', 'queued', 'succeeded', 'failed', 'cancelled'] as const
export type Group = (typeof GROUPS)[number]

/** A table and not the contract's functions: those come with schemas, which the extension does not need to start. */
export const GROUP_OF: Readonly<Record<JobState, Group>> = {
  queued: 'queued',
  placing: 'active',
  preparing: 'active',
  running: 'active',
  checking: 'active',
  succeeded: 'succeeded',
  failed: 'failed',
  cancelled: 'cancelled',
}
export const STATES_OF: Readonly<Record<Group, readonly JobState[]>> = {
  active: ['checking', 'running', 'preparing', 'placing'],
  queued: ['queued'],
  succeeded: ['succeeded'],
  failed: ['failed'],
  cancelled: ['cancelled'],
}

export const hasEnded = (state: JobState): boolean => GROUP_OF[state] !== 'active' && GROUP_OF[state] !== 'queued'
