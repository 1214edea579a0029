import * as z from 'zod'

/**
 * The life of a job:
 *
 *   queued -> placing -> preparing -> running -> checking -> succeeded
 *
 * Every state before an end may also move to `failed` (the work or its time is over) or `cancelled` (a person said so), and
 * every state of an attempt may move back to `queued` when the attempt is lost; the next attempt then has epoch + 1.
 */
export const JOB_STATES = ['queued', 'placing', 'preparing', 'running', 'checking', 'succeeded', 'failed', 'cancelled'] as const
export const JobState = z.enum(JOB_STATES).meta({ id: 'JobState' })
export type JobState = z.infer<typeof JobState>

export const END_STATES = ['succeeded', 'failed', 'cancelled'] as const satisfies readonly JobState[]
export type EndState = (typeof END_STATES)[number]

/** States in which an attempt holds a sandbox or is about to. */
export const ATTEMPT_STATES = ['placing', 'preparing', 'running', 'checking'] as const satisfies readonly JobState[]

export function isAttempt(state: JobState): boolean {
  return ATTEMPT_STATES.some(other => other === state)
}

/** Every allowed move; what is not here is a programming error. */
export const ARROWS: Readonly<Record<JobState, readonly JobState[]>> = {
  queued: ['placing', 'failed', 'cancelled'],
  placing: ['preparing', 'queued', 'failed', 'cancelled'],
  preparing: ['running', 'queued', 'failed', 'cancelled'],
  running: ['checking', 'queued', 'failed', 'cancelled'],
  checking: ['succeeded', 'queued', 'failed', 'cancelled'],
  succeeded: [],
  failed: [],
  cancelled: [],
}

export function isEnd(state: JobState): state is EndState {
  return ARROWS[state].length === 0
}

export function mayMove(from: JobState, to: JobState): boolean {
  return ARROWS[from].includes(to)
}
