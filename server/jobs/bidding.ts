import type { Executor } from '#server/executors/index.ts'
import type { Clock } from '#server/lib/clock.ts'
import { within } from '#server/lib/within.ts'
import type { Models } from '#server/models/index.ts'
import {
  type Forecast,
  forecast,
  hasImage,
  type JobClass,
  lackOfRoom,
  levelGiven,
  modelSide,
  type Reservations,
} from '#server/placement/index.ts'
import type { Workspace } from '#server/workspace/index.ts'
import type { Announcement, Bid, ExecutorCapacity, NodeId, Terms } from '#shared/model/index.ts'
import type { ExecutorRoom } from './executor-room.ts'
import { announcedClass, type Experience } from './experience.ts'
import { repositoryOf } from './hosted-attempt.ts'
import type { JobSettings, OwnNode } from './ports.ts'

/** Longest wait for the providers' lists of models, ms. */
const MODELS_MS = 500
/** When to ask again where others fill an executor: nothing here tells when they end, ms. */
const FULL_AGAIN_MS = 30_000
/** Characters of a reason that the message may have. */
const MOST_REASON = 500
const NONE: readonly string[] = []

/** What a bid is made of. */
export interface BiddingDeps {
  readonly executors: readonly Pick<Executor, 'kind' | 'probe'>[]
  readonly workspace: Pick<Workspace, 'haves'>
  readonly models: Pick<Models, 'list'>
  /** Those that others may use. */
  readonly sharedModels: Pick<Models, 'list'>
  readonly clock: Clock
  readonly node: Pick<OwnNode, 'power' | 'loadPerCore'>
  readonly settings: Pick<JobSettings, 'bidMs' | 'price' | 'placement'>
  readonly newToken: () => string
  readonly random: () => number
}

/** What this node offers for a job: a slot or a waiting place, reserved for seconds, and when and how it would run there. */
export interface Bidding {
  /**
   * One home is promised half of the slots and waiting places at most, and one in any case, until it awards or releases some: whoever
   * announces again and again keeps no place from others. What it was awarded does not count.
   * @param home whose job it is; null for one of its own
   */
  bid(announcement: Announcement, home: NodeId | null): Promise<Bid>
}

export function createBidding(
  deps: BiddingDeps,
  { reservations, experience, executorRoom }: { reservations: Reservations; experience: Experience; executorRoom: ExecutorRoom },
): Bidding {
  const { executors, workspace, models, sharedModels, clock, node, settings, newToken, random } = deps

  const mostPromised = Math.max(1, Math.floor((reservations.slots + reservations.waitingPlaces) / 2))

  /** Attempts of an executor that it was not asked for yet when it said what it can give. */
  function promisedSince(kind: string, ageMs: number): number {
    const { running, waiting } = reservations.occupancy()
    const isItsOwn = ({ executor }: JobClass) => executor === kind
    const begun = running.filter(({ jobClass, elapsedMs }) => isItsOwn(jobClass) && elapsedMs < ageMs)
    return begun.length + waiting.filter(isItsOwn).length
  }

  /** When one of the attempts that an executor runs should end, ms, median. */
  async function firstEnd(kind: string): Promise<number> {
    const running = reservations.occupancy().running.filter(({ jobClass }) => jobClass.executor === kind)
    if (running.length === 0) return FULL_AGAIN_MS
    const history = await experience.history()
    const runs = running.map(({ jobClass, elapsedMs }) => ({ runs: history.of(jobClass), elapsedMs }))
    const { unknownRunMs } = settings.placement
    return forecast({ slots: running.length, running: runs, ahead: [], own: [], unknownRunMs }, random).start.p50
  }

  /** When an attempt would start that all who are here now come before. */
  async function look(jobClass: JobClass): Promise<Forecast> {
    const { running, waiting } = reservations.occupancy()
    const history = await experience.history()
    return forecast(
      {
        slots: reservations.slots,
        running: running.map(({ jobClass, elapsedMs }) => ({ runs: history.of(jobClass), elapsedMs })),
        ahead: waiting.map(jobClass => history.of(jobClass)),
        own: history.of(jobClass),
        unknownRunMs: settings.placement.unknownRunMs,
      },
      random,
    )
  }

  async function termsOf(
    { executor, isolation, image, model, models: policy, setup, repository }: Announcement,
    { cache, isOwn, room }: { cache: string | null; isOwn: boolean; room: ExecutorCapacity | null },
  ): Promise<Omit<Terms, 'startMs' | 'start90Ms' | 'waitsBehind' | 'runMs' | 'finishMs' | 'load'>> {
    const [probe, haves, offered, power] = await Promise.all([
      executors.find(({ kind }) => kind === executor)?.probe(),
      cache === null ? NONE : workspace.haves(cache),
      model === null ? NONE : listModels(isOwn ? models : sharedModels, clock),
      node.power(),
    ])
    const isHere = model === null || offered.includes(model)
    const isLocal = isOwn || model === null || modelSide(policy, isHere) === 'worker'
    return {
      modelLoaded: isLocal ? isHere : policy.atHome,
      modelLocal: isLocal,
      repositoryCached: repository === null || isOwn || haves.length > 0,
      // No executor of this node keeps what a setup installs: every sandbox is fresh.
      dependencyCached: !setup,
      imageCached: image === undefined || room === null || hasImage(room.images, image),
      haves: [...haves],
      executor,
      isolation: probe ? (levelGiven(probe, isolation) ?? probe.isolation) : 'none',
      loadPerCore: Math.round(100 * node.loadPerCore()) / 100,
      power,
      price: isOwn ? null : settings.price,
    }
  }

  return {
    async bid(announcement, home) {
      const { executor } = announcement
      const room = await executorRoom.of(executor)
      const lack = room && lackOfRoom(announcement, room.capacity, promisedSince(executor, room.ageMs))
      if (lack) {
        const reason = `Its executor "${executor}" has no room now: ${lack}`.slice(0, MOST_REASON)
        return { kind: 'no', isTransient: true, reason, againMs: await firstEnd(executor) }
      }
      if (home !== null && reservations.promisedTo(home) >= mostPromised) {
        const reason = `It has promised your node ${mostPromised} places already, and waits for their awards.`
        return { kind: 'no', isTransient: true, reason, againMs: settings.bidMs }
      }
      const { repository } = announcement
      const cache = repository && (home === null ? repository.id : repositoryOf(home, repository.id))
      const jobClass = announcedClass(announcement, cache)
      const bidId = newToken()
      // Looked at before this bid has its place, and without waiting in between.
      const looked = look(jobClass)
      const load = Math.min(1, reservations.busy() / reservations.slots)
      const waitsBehind = reservations.reserve(bidId, settings.bidMs, jobClass, { to: home })
      if (waitsBehind === null) {
        const { start } = await looked
        const reason = `All ${reservations.slots} slots are taken, and ${reservations.waiting()} attempts wait already.`
        return { kind: 'no', isTransient: true, reason, againMs: start.p50 }
      }
      const [{ start, run, finish }, terms] = await Promise.all([
        looked,
        termsOf(announcement, { cache, isOwn: home === null, room: room?.capacity ?? null }),
      ])
      const times = { startMs: start.p50, start90Ms: start.p90, waitsBehind, runMs: run, finishMs: finish }
      return { kind: 'bid', bidId, ttlMs: settings.bidMs, terms: { ...terms, ...times, load } }
    },
  }
}

async function listModels(models: Pick<Models, 'list'>, clock: Clock): Promise<readonly string[]> {
  const found = await within(clock, MODELS_MS, null, signal => models.list(signal)).catch(() => null)
  return found?.models.map(({ id }) => id) ?? []
}
