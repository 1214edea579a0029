import type { Handlers } from '#server/lib/call.ts'
import { createReservations } from '#server/placement/index.ts'
import type { JobRow } from '#server/store/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import { type Card, isEnd } from '#shared/model/index.ts'
import { createAdmission } from './admission.ts'
import { createArtifacts } from './artifacts.ts'
import { createAside } from './aside.ts'
import { createAsideLogs } from './aside-log.ts'
import { createAway } from './away.ts'
import { createBidding } from './bidding.ts'
import { createBringingHome } from './bringing-home.ts'
import { conclude } from './conclude.ts'
import { createDismissals } from './dismissals.ts'
import { createDrain } from './drain.ts'
import { presentDrain } from './drain-status.ts'
import { createEnding } from './ending.ts'
import { createExecutorRoom, type ExecutorRoom } from './executor-room.ts'
import { createExperience } from './experience.ts'
import { createJobHandlers, type JobHandlers } from './handlers.ts'
import { createHomeModels } from './home-models.ts'
import { createHosting } from './hosting.ts'
import { createNegotiation } from './negotiation.ts'
import { createOwnCard } from './own-card.ts'
import { createPeerHandlers, type PeerHandlers } from './peer-handlers.ts'
import { createPermissions } from './permissions.ts'
import { createPlacing } from './placing.ts'
import type { JobDeps } from './ports.ts'
import { dropOrphanedSnapshots, recover, recoverLater } from './recovery.ts'
import { createRetention } from './retention.ts'
import { createScheduler } from './scheduler.ts'
import { createSpace } from './space.ts'
import { createWorkloads, type WorkloadHandlers } from './workloads.ts'

export type { DrainFile, DrainState } from './drain.ts'
export type { Directories, JobDeps } from './ports.ts'

/** The life of jobs: the only writer of job state. */
export interface Jobs {
  readonly handlers: JobHandlers & PeerHandlers & WorkloadHandlers & Pick<Handlers, 'drain' | 'drainStatus'>
  /** Recovers what an earlier server left, then accepts and runs jobs. */
  start(): Promise<void>
  /** Takes no more jobs, tells running attempts to end (they go back to the queue), and waits for them. */
  stop(): Promise<void>
  /** What this node tells of itself. */
  card(): Promise<Card>
  /** What executors said last that they can give; waits for none. */
  executorRoom: ExecutorRoom['lastHeard']
  /** Places that attempts hold, and places there are. */
  places(): { busy: number; slots: number }
  /** Fulfils when the repairs that follow a start are done. */
  settled(): Promise<void>
}

export function createJobs(deps: JobDeps): Jobs {
  const { store, clock, log } = deps
  const space = createSpace(deps)
  const admission = createAdmission(deps, space)
  const permissions = createPermissions(deps)
  const asideLogs = createAsideLogs({ logs: deps.logs, apart: deps.hostedLogs })
  const retention = createRetention(deps, space)
  const { fleet } = deps
  const reservations = createReservations({ slots: deps.settings.concurrency, waitingPlaces: deps.settings.waiting, clock })
  const experience = createExperience(deps)
  const executorRoom = createExecutorRoom(deps)
  const bidding = createBidding(deps, { reservations, experience, executorRoom })
  const ending = createEnding(deps, asideLogs, () => reservations.busy() > 0)
  const drain = createDrain({ file: deps.drainFile, clock, log, handBack: () => hosting.handBack() })
  const drainStatus = () => presentDrain(deps, drain.state())
  const ownCard = createOwnCard(deps, { reservations, isDraining: drain.isDraining, self: fleet.self })
  const negotiation = createNegotiation(deps, { fleet, ownCard, reservations, bidding, experience })
  const placing = createPlacing(deps, { fleet, reservations, negotiation, isDraining: drain.isDraining })
  const homeModels = createHomeModels(deps)
  const bringHome = createBringingHome(deps, homeModels)
  const away = createAway(deps, { fleet, bringHome, homeModels })
  const aside = createAside(deps, {
    bringHome,
    homeModels,
    asideLogs,
    win: win => scheduler.win(win),
    dropped: () => dismissals.wake(),
  })
  const dismissals = createDismissals(deps)
  const hosting = createHosting(deps, { reservations, permissions, experience })
  const scheduler = createScheduler(deps, {
    ending,
    permissions,
    reservations,
    placing,
    away,
    dismissals,
    drain,
    experience,
    setAside: aside.wake,
    ended() {
      retention.occasionally()
      hosting.forgetOccasionally()
    },
  })
  let ready = false
  let repairs: Promise<void> = Promise.resolve()

  async function cancel(found: JobRow): Promise<JobRow> {
    // The job may move between the read and the guarded write; each round starts from what it is now.
    for (let job: JobRow | null = found; job; job = await store.job(job.id)) {
      if (isEnd(job.state)) throw new ApiError('already_ended', `Job ${job.id} has already ended: it is ${job.state}.`)
      const requested = { ...job, cancelRequested: true }
      const asked = { type: 'job.cancel', reason: 'A person asked for it.' } as const
      const at = clock.now()
      if (job.state === 'queued') {
        const change = conclude(requested, { kind: 'stopped', stop: 'cancel' }, at)
        if (
          !(await store.change({
            ...change,
            patch: { ...change.patch, cancelRequested: true },
            events: [asked, ...change.events],
          }))
        )
          continue
        await ending.finish(job.id)
        dismissals.wake()
        return { ...requested, state: 'cancelled' }
      }
      const guard = { state: job.state, epoch: job.epoch }
      const events = job.cancelRequested ? [] : [asked]
      if (!(await store.change({ id: job.id, guard, patch: { cancelRequested: true }, events, at }))) continue
      scheduler.stopJob(job.id, 'cancel')
      return requested
    }
    throw new ApiError('not_found', `Job ${found.id} is gone.`)
  }

  const artifacts = createArtifacts(deps)
  const workloads = createWorkloads(deps, (id, epoch) => scheduler.evict(id, epoch) || hosting.evict(id, epoch))
  return {
    handlers: {
      ...createJobHandlers(deps, { admission, permissions, artifacts, retention, isReady: () => ready, cancel }),
      ...workloads.handlers,
      ...createPeerHandlers(deps, {
        ownCard,
        reservations,
        bidding,
        hosting,
        permissions,
        space,
        placesOf: workloads.placesOf,
        isReady: () => ready,
        isDraining: drain.isDraining,
      }),
      async drain({ body: { draining, handBackAfterMs } }) {
        await (draining ? drain.begin(handBackAfterMs) : drain.end())
        // What has not started need not be finished here.
        if (draining) reservations.sendBack()
        return { status: 200, body: await drainStatus() }
      },
      drainStatus: async () => ({ status: 200, body: await drainStatus() }),
    },
    async start() {
      await drain.start()
      await hosting.recover()
      const followed = await recover(deps, ending)
      ready = true
      repairs = recoverLater(deps, ending)
        .then(() => dropOrphanedSnapshots(deps, admission.isPending))
        .catch(error => log.error({ err: error }, 'Failed to repair what an earlier server left'))
      dismissals.start()
      await scheduler.start(followed)
      aside.start()
    },
    async stop() {
      ready = false
      drain.stop()
      await Promise.all([aside.stop(), scheduler.stop(), hosting.stop(), dismissals.stop(), ending.stop()])
      await repairs
    },
    card: ownCard.get,
    executorRoom: executorRoom.lastHeard,
    places: () => ({ busy: reservations.busy(), slots: deps.settings.concurrency }),
    settled: () => repairs,
  }
}
