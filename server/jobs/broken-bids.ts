import type { Clock } from '#server/lib/clock.ts'
import type { JobId, NodeId } from '#shared/model/index.ts'

/** Until a node that gave a job back is asked again for it, ms: doubled each time. */
const FIRST_MS = 1_000
const LAST_MS = 120_000

/** Nodes that won a job and gave it back. To ask them again at once would go round for as long as they bid and turn the award away. */
export interface BrokenBids {
  add(jobId: JobId, node: NodeId): void
  /** Why a node is not asked for a job now; null when it may be. */
  why(jobId: JobId, node: NodeId): string | null
  /** The job has ended, or is somebody's. */
  forget(jobId: JobId): void
}

export function createBrokenBids(clock: Pick<Clock, 'monotonic'>): BrokenBids {
  const jobs = new Map<JobId, Map<NodeId, { pauseMs: number; until: number }>>()
  return {
    add(jobId, node) {
      const nodes = jobs.get(jobId) ?? new Map<NodeId, { pauseMs: number; until: number }>()
      const pauseMs = Math.min(2 * (nodes.get(node)?.pauseMs ?? FIRST_MS / 2), LAST_MS)
      jobs.set(jobId, nodes.set(node, { pauseMs, until: clock.monotonic() + pauseMs }))
    },
    why(jobId, node) {
      const found = jobs.get(jobId)?.get(node)
      return found && clock.monotonic() < found.until ? 'It bid for this job and gave it back; it is asked again later.' : null
    },
    forget: jobId => void jobs.delete(jobId),
  }
}
