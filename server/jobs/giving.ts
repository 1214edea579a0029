import { join } from 'node:path'
import type { PeerLink } from '#server/peers/index.ts'
import type { AwayRow, JobRow } from '#server/store/index.ts'
import type { Award, NodeId } from '#shared/model/index.ts'
import type { HomeModels } from './home-models.ts'
import type { JobDeps } from './ports.ts'

/** Who gets the work. */
export interface Winner {
  readonly node: NodeId
  readonly bidId: string
  /** Commits it has already. */
  readonly haves: readonly string[]
}

/** Gives the work of an attempt to another node, its snapshot included. @returns the mark the lease is counted from */
export function createGiving({ store, logs, clock, settings, workspace, directories, files }: JobDeps, homeModels: HomeModels) {
  async function ship(job: JobRow, haves: readonly string[], link: PeerLink, signal: AbortSignal): Promise<void> {
    const { id: jobId, epoch, snapshot } = job
    if (!snapshot) return
    const directory = join(directories.attempts, `${jobId}.${epoch}`)
    await files.makeDirectory(directory)
    try {
      const file = join(directory, 'snapshot.bundle')
      const { bytes, sha256 } = await workspace.pack(snapshot, haves, file)
      await link.shipSnapshot({ jobId, epoch }, { file, bytes, sha256 }, signal)
    } finally {
      await files.remove(directory)
    }
  }

  return async (job: JobRow, winner: Winner, link: PeerLink, signal: AbortSignal): Promise<number> => {
    const { id: jobId, epoch, title, spec, snapshot } = job
    const logOffset = await logs.size(jobId)
    // Written first: from here on the attempt may run there, whatever happens here.
    const away: AwayRow = { jobId, epoch, worker: winner.node, seen: 0, logOffset }
    await store.change({ id: jobId, guard: { state: job.state, epoch }, patch: {}, events: [], at: clock.now(), away })
    const award: Award = {
      bidId: winner.bidId,
      jobId,
      epoch,
      leaseMs: settings.leaseMs,
      logOffset,
      title,
      spec: withoutPaths(spec),
      snapshot,
      models: await homeModels.offer(),
    }
    const { mark, needsSnapshot } = await link.award(award, signal)
    if (needsSnapshot) await ship(job, winner.haves, link, signal)
    return mark
  }
}

/** Where a repository lies on this machine is nobody else's business. */
function withoutPaths(spec: Award['spec']): Award['spec'] {
  return spec.repository ? { ...spec, repository: { ...spec.repository, path: '/' } } : spec
}
