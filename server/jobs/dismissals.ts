import type { Dismissal } from '#server/store/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import type { NodeId } from '#shared/model/index.ts'
import type { JobDeps } from './ports.ts'

/** Until a node that could not be reached is asked again without a sign of it, ms. */
const AGAIN_MS = 30_000

/**
 * Tells nodes that nothing more is wanted of an attempt they have, so that they stop and forget it: at once, or as soon as they can
 * be reached again, restarts of this node included. What is to be told is written with the change that makes it so.
 */
export interface Dismissals {
  start(): void
  /** There may be more to tell. */
  wake(): void
  stop(): Promise<void>
}

export function createDismissals({ store, fleet, clock, log }: Pick<JobDeps, 'store' | 'fleet' | 'clock' | 'log'>): Dismissals {
  /** Nodes that could not be reached. */
  const silent = new Set<NodeId>()
  let isOpen = false
  let isAsked = false
  let telling: Promise<void> | null = null
  let cancelTimer = () => {}
  let unsubscribe = () => {}

  /** @returns whether the node was told, or has nothing to be told any more */
  async function tell({ worker, jobId, epoch }: Dismissal): Promise<boolean> {
    const link = fleet.link(worker)
    // Nobody to tell: the trust has ended, and with nobody to renew it the attempt ends too.
    if (!link) return true
    try {
      await link.settle({ jobId, epoch })
      return true
    } catch (error) {
      if (error instanceof ApiError && error.code === 'not_yours') return true
      log.debug({ err: error, worker, jobId, epoch }, 'A node could not be told that an attempt is over')
      return false
    }
  }

  async function tellNode(worker: NodeId, list: readonly Dismissal[]): Promise<void> {
    silent.delete(worker)
    for (const dismissal of list) {
      if (!isOpen) return
      if (await tell(dismissal)) await store.forgetDismissal(dismissal)
      else {
        silent.add(worker)
        return
      }
    }
  }

  async function tellAll(): Promise<void> {
    while (isAsked && isOpen) {
      isAsked = false
      const byNode = Map.groupBy(await store.dismissals(), ({ worker }) => worker)
      await Promise.all([...byNode].map(([worker, list]) => tellNode(worker, list)))
    }
    cancelTimer()
    if (isOpen && silent.size > 0) cancelTimer = clock.after(AGAIN_MS, wake)
  }

  function wake(): void {
    isAsked = true
    if (!isOpen || telling) return
    telling = tellAll()
      .catch(error => log.error({ err: error }, 'Failed to tell nodes that attempts are over'))
      .finally(() => {
        telling = null
        if (isAsked) wake()
      })
  }

  return {
    wake,
    start() {
      isOpen = true
      unsubscribe = fleet.onChange(() => {
        if (silent.size > 0 && fleet.cards().some(({ node }) => silent.has(node))) wake()
      })
      wake()
    },
    async stop() {
      isOpen = false
      unsubscribe()
      cancelTimer()
      await telling
    },
  }
}
