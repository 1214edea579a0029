import type { DrainStatus } from '#shared/model/index.ts'
import type { DrainState } from './drain.ts'
import type { JobDeps } from './ports.ts'

const timeOf = (at: number | null | undefined): string | null => (at == null ? null : new Date(at).toISOString())
/** More waiting jobs than this are not counted one by one. */
const MOST_COUNTED = 1000

/** What of this node's work still has to end before it can be turned off. */
export async function presentDrain(
  { store, fleet }: Pick<JobDeps, 'store' | 'fleet'>,
  state: DrainState | null,
): Promise<DrainStatus> {
  const [inFlight, hosted, waiting] = await Promise.all([
    store.inFlight(),
    store.hosted.all(),
    store.jobs({ before: null, limit: MOST_COUNTED, state: 'queued' }),
  ])
  // A job that looks for a node has not begun.
  const begun = inFlight.filter(job => job.state !== 'placing')
  const elsewhere = new Set<string>()
  for (const { id, epoch } of begun) if ((await store.away(id))?.epoch === epoch) elsewhere.add(id)
  const own = begun.filter(({ id }) => !elsewhere.has(id))
  return {
    draining: state !== null,
    since: timeOf(state?.since),
    handBackAt: timeOf(state?.handBackAt),
    running: [
      ...own.map(({ id, epoch, title, state: at }) => ({ jobId: id, epoch, title, state: at, home: null })),
      ...hosted
        .filter(({ end }) => end === null)
        .map(({ home, jobId, epoch, award, state: at }) => ({
          jobId,
          epoch,
          title: award.title,
          state: at,
          home: { node: home, name: fleet.who(home).name },
        })),
    ],
    queued: waiting.rows.length + inFlight.length - begun.length,
  }
}
