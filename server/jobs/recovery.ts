import { join } from 'node:path'
import type { AwayRow, JobRow } from '#server/store/index.ts'
import type { Ending } from './ending.ts'
import type { JobDeps } from './ports.ts'

/**
 * Makes good what the end of an earlier server cut off: ends its orphaned processes by their recorded identity, removes its
 * directories, and puts every job that ran here back in the queue for a new epoch. Runs before any job is accepted or claimed.
 * @returns jobs whose attempt is on another node
 */
export async function recover(deps: JobDeps, ending: Ending): Promise<{ job: JobRow; row: AwayRow }[]> {
  const { store, executors, directories, files, log } = deps
  const recorded = await store.processes()
  const leftovers = await files.list(directories.attempts)
  const inFlight = await store.inFlight()
  // A clean stop leaves nothing: then no process table is searched and a start stays fast.
  if (recorded.length > 0 || leftovers.length > 0 || inFlight.length > 0) {
    for (const executor of executors) {
      const ended = await executor.reap(recorded)
      if (ended > 0) log.warn({ executor: executor.kind, ended }, 'Ended orphaned processes of an earlier server')
    }
  }
  for (const name of leftovers)
    await files
      .remove(join(directories.attempts, name))
      .catch(error => log.error({ err: error, name }, 'Failed to remove the directory of an attempt; the next start tries again'))
  const followed: { job: JobRow; row: AwayRow }[] = []
  for (const job of inFlight) {
    const row = await store.away(job.id)
    // What runs on another node does not care that this one was gone.
    if (row?.epoch === job.epoch) followed.push({ job, row })
    else await ending.settle(job, { kind: 'lost', reason: 'The server that ran it ended without warning.' })
  }
  return followed
}

/** What can wait until jobs are accepted again: undelivered results, unsealed logs, snapshots nobody owns. */
export async function recoverLater(deps: JobDeps, ending: Ending): Promise<void> {
  const { store, log } = deps
  const attempt = async (what: string, repair: () => Promise<void>) => {
    await repair().catch(error => log.error({ err: error }, `Failed to ${what}; the next start tries again`))
  }
  for (const job of await store.undelivered()) await attempt('deliver a result', () => ending.deliver(job))
  for (const id of await store.unsealed()) await attempt('seal a log', () => ending.seal(id))
}

/**
 * Drops snapshots whose job was never accepted: the server died between taking and admitting. Jobs are accepted meanwhile, here and
 * for other nodes, so who needs a snapshot is asked after which there are.
 */
export async function dropOrphanedSnapshots(
  { store, workspace }: Pick<JobDeps, 'store' | 'workspace'>,
  isPending: (id: JobRow['id']) => boolean,
): Promise<void> {
  const kept = await workspace.kept()
  const hosted = new Set((await store.hosted.all()).map(({ jobId }) => jobId))
  const orphans: JobRow['id'][] = []
  for (const id of kept) if (!isPending(id) && !hosted.has(id) && !(await store.job(id))) orphans.push(id)
  if (orphans.length > 0) await workspace.release(orphans)
}
