import { join } from 'node:path'
import type { PeerLink } from '#server/peers/index.ts'
import type { AwayRow, JobRow } from '#server/store/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import { type Award, ExecutorKind, type NodeId } from '#shared/model/index.ts'
import type { HomeModels } from './home-models.ts'
import { FIRST_LEASE_MS, MARGIN } from './lease.ts'
import { FIRST_PAUSE_MS, LAST_PAUSE_MS, pause } from './pause.ts'
import type { JobDeps } from './ports.ts'
import { startWithin } from './waiting.ts'

/** How often a snapshot is sent that arrives as something else. */
const MOST_SENDINGS = 3

/** Who gets the work. */
export interface Winner {
  readonly node: NodeId
  readonly bidId: string
  /** How long the bid is good, ms. */
  readonly ttlMs: number
  /** Commits it has already. */
  readonly haves: readonly string[]
  /** Which of its executors it bid with. */
  readonly executor: string
}

/** Work that another node has taken. */
export interface Given {
  /** The lease is counted from there. */
  readonly mark: number
  /** Sends the snapshot, when it is wanted: for as long as the signal lets it. @throws {ApiError} when the node will not take it */
  readonly ship: ((link: () => PeerLink | null, signal: AbortSignal) => Promise<void>) | null
}

/** A no of the other node itself, not of what is between the two. */
export const isAnswer = (error: unknown): error is ApiError =>
  error instanceof ApiError && error.code !== 'peer_unreachable' && error.code !== 'internal'

/** Gives the work of an attempt to another node. */
export function createGiving(deps: JobDeps, homeModels: HomeModels) {
  const { store, logs, clock, settings, workspace, directories, files, fleet } = deps

  async function ship(job: JobRow, haves: readonly string[], link: () => PeerLink | null, signal: AbortSignal): Promise<void> {
    const { id: jobId, epoch, snapshot } = job
    if (!snapshot) return
    const directory = join(directories.attempts, `${jobId}.${epoch}.snapshot`)
    await files.makeDirectory(directory)
    try {
      const file = join(directory, 'snapshot.bundle')
      const shipment = { file, ...(await workspace.pack(snapshot, haves, file)) }
      let sendings = 0
      for (let ms = FIRST_PAUSE_MS; !signal.aborted; ms = Math.min(2 * ms, LAST_PAUSE_MS)) {
        try {
          return await link()?.shipSnapshot({ jobId, epoch }, shipment, signal)
        } catch (error) {
          if (isAnswer(error) && error.code !== 'not_ready' && (error.code !== 'snapshot_failed' || ++sendings === MOST_SENDINGS))
            throw error
          await pause(clock, ms, signal)
        }
      }
    } finally {
      await files.remove(directory)
    }
  }

  const awardOf = async (job: JobRow, bidId: string, executor: string, logOffset: number): Promise<Award> => ({
    bidId,
    jobId: job.id,
    epoch: job.epoch,
    leaseMs: Math.min(settings.leaseMs, FIRST_LEASE_MS),
    logOffset,
    title: job.title,
    spec: { ...ofNoConcern(job.spec), executor: ExecutorKind.parse(executor) },
    snapshot: job.snapshot,
    models: await homeModels.offer(),
    startWithinMs: startWithin(job, clock.now()),
  })

  const given = (job: JobRow, haves: readonly string[], answer: { mark: number; needsSnapshot: boolean }): Given => ({
    mark: answer.mark,
    ship: answer.needsSnapshot ? (link, signal) => ship(job, haves, link, signal) : null,
  })

  /** Asks again and again while no answer comes: what was asked before may have been heard, and is answered the same. */
  async function untilAnswered(award: Award, link: () => PeerLink | null, over: number, signal: AbortSignal) {
    for (let ms = FIRST_PAUSE_MS; ; ms = Math.min(2 * ms, LAST_PAUSE_MS)) {
      const to = link()
      if (!to) throw new ApiError('peer_unknown', 'The trust in it has ended.')
      try {
        return await to.award(award, signal)
      } catch (error) {
        if (isAnswer(error) || signal.aborted || clock.monotonic() > over) throw error
        await pause(clock, ms, signal)
      }
    }
  }

  return {
    /**
     * Awards the work.
     * @throws {ApiError} what the node answered, or `peer_unreachable` once any lease it may have given itself has ended
     */
    async give(job: JobRow, winner: Winner, link: () => PeerLink | null, signal: AbortSignal): Promise<Given> {
      const { id: jobId, epoch } = job
      const logOffset = await logs.size(jobId)
      // Written first: from here on the attempt may run there, whatever happens here.
      const { node: worker, executor } = winner
      const away: AwayRow = { jobId, epoch, worker, seen: 0, logOffset, executor }
      const placed = { type: 'attempt.placed', epoch, node: winner.node, name: fleet.who(winner.node).name } as const
      await store.change({ id: jobId, guard: { state: job.state, epoch }, patch: {}, events: [placed], at: clock.now(), away })
      const award = await awardOf(job, winner.bidId, executor, logOffset)
      const over = clock.monotonic() + (winner.ttlMs + award.leaseMs) * MARGIN
      return given(job, winner.haves, await untilAnswered(award, link, over, signal))
    },

    /**
     * Asks for `waitMs` after work that an earlier server gave away, whose snapshot may still be on its way.
     * @throws {ApiError} what the node answered, or `peer_unreachable` after that time
     */
    async again(job: JobRow, away: AwayRow, link: () => PeerLink | null, waitMs: number, signal: AbortSignal): Promise<Given> {
      const award = await awardOf(job, 'given before', away.executor, away.logOffset)
      return given(job, [], await untilAnswered(award, link, clock.monotonic() + waitMs, signal))
    },
  }
}

/** What the worker need not know: where a repository lies on this machine, and what its home does without it. */
function ofNoConcern({ disconnect: _, ...spec }: Award['spec']): Award['spec'] {
  return spec.repository ? { ...spec, repository: { ...spec.repository, path: '/' } } : spec
}
