import type { Clock } from '#server/lib/clock.ts'
import { within } from '#server/lib/within.ts'
import type { Reservations } from '#server/placement/index.ts'
import type { JobRow } from '#server/store/index.ts'
import type { AttemptEnd } from '#shared/model/index.ts'

/** How long the attempt of a job may wait for a slot, ms; null for one that is not the job's first. @param now ms since 1970 */
export const startWithin = ({ epoch, queueDeadline }: Pick<JobRow, 'epoch' | 'queueDeadline'>, now: number): number | null =>
  epoch === 1 ? Math.max(0, queueDeadline - now) : null

/**
 * Waits until an attempt that was taken has its slot.
 * @param withinMs longest wait, ms; null: however long it takes
 * @returns how the attempt ended without ever starting; null when it has its slot
 * @throws the signal's reason
 */
export async function waitForSlot(
  { clock, reservations }: { clock: Clock; reservations: Reservations },
  id: string,
  withinMs: number | null,
  signal: AbortSignal,
): Promise<AttemptEnd | null> {
  const wait = (until: AbortSignal) => reservations.slot(id, until)
  try {
    const hasSlot = await (withinMs === null ? wait(signal) : within(clock, withinMs, signal, wait))
    return hasSlot ? null : { kind: 'stopped', stop: 'shutdown', handedBack: true }
  } catch (error) {
    if (signal.aborted || !(error instanceof DOMException && error.name === 'TimeoutError')) throw error
    return {
      kind: 'failed',
      failure: {
        code: 'queue_timeout',
        detail:
          'The job waited longer for its first attempt than it may (timeouts.queueMs): the node that took it had no place free.',
        remedy: 'Retry it, or give it more time; `skein jobs show ID --why` tells what was promised.',
      },
    }
  }
}
