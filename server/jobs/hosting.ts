import { type AnswerPiece, createCallQueue, type KnownCalls } from '#server/gateway/index.ts'
import { Lifetime } from '#server/lib/lifetime.ts'
import type { Renewal } from '#server/peers/index.ts'
import type { Reservations } from '#server/placement/index.ts'
import type { HostedKey, HostedRow } from '#server/store/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import {
  type AttemptEnd,
  type AttemptReport,
  type Award,
  type JobId,
  LONGEST_AWAY_MS,
  type ModelCallNews,
  type NodeId,
} from '#shared/model/index.ts'
import { classOf, type Experience } from './experience.ts'
import { createForgetting } from './forgetting.ts'
import { fileNameOf, hostedJob } from './hosted-attempt.ts'
import { createHostedFiles, type Piece } from './hosted-files.ts'
import { createHostedStreams } from './hosted-streams.ts'
import { createHostedWork, type Ways } from './hosted-work.ts'
import { createLease, type Lease } from './lease.ts'
import { createOutflow } from './outflow.ts'
import type { Permissions } from './permissions.ts'
import type { JobDeps } from './ports.ts'
import { createSettledAhead } from './settled-ahead.ts'
import { Stop } from './stop.ts'

/** Attempts of other nodes' jobs: takes them, runs them under a lease, and keeps what came of them until their home has it. */
export interface Hosting {
  /** @throws {ApiError} `not_yours` when the bid has expired, or the job has moved on */
  award(home: NodeId, award: Award): Promise<Awarded>
  /** What an award is answered when it is asked again, for the first answer was lost; null for one that is new. */
  awarded(key: HostedKey): Promise<Awarded | null>
  /** Whether a job of that id is here which is not that node's: all who were asked for a bid know the id of a job. */
  isAnothers(home: NodeId, jobId: JobId): Promise<boolean>
  receiveSnapshot(key: HostedKey, piece: Piece): Promise<number>
  renew(key: HostedKey, renewal: Renewal, signal: AbortSignal): Promise<AttemptReport>
  log(key: HostedKey, offset: number, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
  result(key: HostedKey, offset: number): Promise<{ body: AsyncIterable<Uint8Array>; bytes: number }>
  modelCalls(key: HostedKey, known: KnownCalls, signal: AbortSignal): Promise<ModelCallNews>
  answerModelCall(
    key: HostedKey,
    call: number,
    piece: AnswerPiece,
    signal: AbortSignal,
  ): Promise<{ bytes: number; isOpen: boolean }>
  settle(key: HostedKey): Promise<void>
  /** @throws {ApiError} `not_yours` when the attempt is not here */
  requireOf(key: HostedKey): Promise<void>
  /**
   * After a start: what ran is lost, and says so to its home; what waited for its snapshot goes on. @returns jobs whose snapshots are still needed
   */
  recover(): Promise<readonly JobId[]>
  /** Ends all attempts, and tells their homes that this node gave them back. */
  handBack(): void
  /** Has an attempt of a job give its place free. @param epoch null for whichever it is @returns whether it runs here */
  evict(id: JobId, epoch: number | null): boolean
  /** How many attempts of others hold a place. */
  running(): number
  /** Forgets, now and then, what nobody came back for. */
  forgetOccasionally(): void
  /** Ends all attempts and waits for them. */
  stop(): Promise<void>
}

export interface Awarded {
  readonly needsSnapshot: boolean
  /** Now, on the clock the lease is counted by. */
  readonly mark: number
}

interface Running extends Ways {
  readonly key: HostedKey
  needsSnapshot: boolean
  readonly controller: AbortController
  readonly done: Promise<void>
  /** Told of the bundle with the snapshot. */
  readonly arrived: (bundle: string) => void
  readonly lease: Lease
  isHandedBack: boolean
}

export function createHosting(
  deps: JobDeps,
  parts: { reservations: Reservations; permissions: Permissions; experience: Experience },
): Hosting {
  const { store, clock, settings, workspace, hostedLogs, fleet, log } = deps
  const travel = createHostedFiles({ root: deps.directories.hosted, files: deps.files })
  const { hosted } = store
  const streams = createHostedStreams({ hosted, logs: hostedLogs, clock })
  const { reservations } = parts
  const work = createHostedWork(deps, { ...parts, travel })
  const running = new Map<string, Running>()
  /** Marks count from here: one that an earlier server of this node gave is told from ours, and counts for nothing. */
  const origin = Math.floor(deps.random() * 2 ** 40)
  const markNow = () => origin + clock.monotonic()
  const settledAhead = createSettledAhead({ clock, ttlMs: settings.bidMs })
  /** Awards that are being written down. */
  const taking = new Map<string, Promise<void>>()
  const forgetting = createForgetting(
    { clock, hosted, warn: error => log.error({ err: error }, 'Old attempts of other nodes could not be forgotten') },
    { isRunning: key => running.has(fileNameOf(key)), forget },
  )
  /** Homes may ask before it is known what an earlier server left: an attempt that goes on must not be told to be over. */
  const recovered = Promise.withResolvers<void>()
  let unwatch = () => {}
  let isClosing = false

  async function find(key: HostedKey): Promise<HostedRow> {
    await recovered.promise
    const row = await hosted.get(key)
    if (row) {
      forgetting.heard(key)
      return row
    }
    const here = (await othersOf(key)).map(({ epoch }) => epoch)
    if (here.length > 0) log.warn({ ...key, here }, 'A message of an attempt was refused; the job has another one here')
    throw new ApiError('not_yours', `This node has no attempt ${key.epoch} of job ${key.jobId}.`)
  }

  const othersOf = async ({ home, jobId, epoch }: HostedKey): Promise<HostedRow[]> =>
    (await hosted.all()).filter(row => row.home === home && row.jobId === jobId && row.epoch !== epoch)

  /** The home has moved on from older attempts; a message of an older one than is here comes late. */
  async function fence(key: HostedKey): Promise<void> {
    const others = await othersOf(key)
    const newer = others.find(({ epoch }) => epoch > key.epoch)
    if (newer) {
      log.warn({ ...key, here: newer.epoch }, 'The award of an older attempt than is here was refused')
      throw new ApiError('not_yours', `Attempt ${newer.epoch} of job ${key.jobId} is here already.`)
    }
    // One after the other: attempts of a job share the way into their sandboxes, and its questions.
    for (const row of others) {
      log.warn({ ...row, newer: key.epoch, award: undefined }, 'An attempt was stopped: its home has begun a newer one')
      await dismiss(row)
    }
  }

  /** Stops an attempt if it runs, and forgets it. */
  async function dismiss(key: HostedKey): Promise<void> {
    const name = fileNameOf(key)
    await recovered.promise
    await taking.get(name)?.catch(() => {})
    const attempt = running.get(name)
    attempt?.controller.abort(new Stop('cancel'))
    await attempt?.done
    await forget(key)
  }

  /** Nothing runs for a node whose jobs are not taken any more; nor could it ask for what comes of it. */
  function dismissUntrusted(): void {
    for (const { key } of running.values()) {
      if (fleet.accepts(key.home)) continue
      log.warn({ ...key }, 'An attempt was stopped: jobs of its home are not taken any more')
      void dismiss(key).catch(error => log.error({ err: error, ...key }, 'An attempt could not be forgotten'))
    }
  }

  function giveBack(attempt: Running | undefined): void {
    if (!attempt) return
    attempt.isHandedBack = true
    attempt.controller.abort(new Stop('shutdown'))
  }

  function begin(key: HostedKey, award: Award): void {
    const controller = new AbortController()
    const arrival = Promise.withResolvers<string>()
    // Nobody reads the name of what is not there.
    const noBundle = () => arrival.resolve('')
    controller.signal.addEventListener('abort', noBundle, { once: true })
    if (!award.snapshot) noBundle()
    const ways: Ways = { calls: createCallQueue({ clock }), outflow: createOutflow(settings.unackedBytes) }
    // What is told of an end waits for nobody.
    controller.signal.addEventListener('abort', () => ways.outflow.open(), { once: true })
    const done = run(key, award, ways, arrival.promise, controller.signal)
      .catch(error => log.error({ err: error, ...key }, 'An attempt of another node could not be ended'))
      .finally(() => {
        running.get(fileNameOf(key))?.lease.cancel()
        running.delete(fileNameOf(key))
        reservations.release(award.bidId)
      })
    const attempt: Running = {
      key,
      needsSnapshot: award.snapshot !== null,
      controller,
      done,
      arrived(bundle) {
        attempt.needsSnapshot = false
        arrival.resolve(bundle)
      },
      ...ways,
      lease: createLease({ clock, graceMs: settings.graceMs }, () => controller.abort(new Stop('lease'))),
      isHandedBack: false,
    }
    running.set(fileNameOf(key), attempt)
    attempt.lease.extend(clock.monotonic() + award.leaseMs)
  }

  async function run(key: HostedKey, award: Award, ways: Ways, arrived: Promise<string>, signal: AbortSignal): Promise<void> {
    await using leftovers = new Lifetime()
    leftovers.use(ways.calls)
    const { end, lesson } = await work({ key, award, ways, arrived, signal, leftovers })
    if (await isToBeTakenUp(key, end)) return
    const isBack = end.kind === 'stopped' && end.stop === 'shutdown' && running.get(fileNameOf(key))?.isHandedBack
    // Before its home hears of the end, and may send the next.
    reservations.release(award.bidId)
    await hosted.append(key, [], clock.now(), { end: isBack ? { ...end, handedBack: true } : end, lesson })
  }

  /** A snapshot that is on its way goes on coming when this node is back; nothing of the attempt has run. */
  async function isToBeTakenUp(key: HostedKey, end: AttemptEnd): Promise<boolean> {
    const attempt = running.get(fileNameOf(key))
    if (end.kind !== 'stopped' || end.stop !== 'shutdown' || !attempt?.needsSnapshot || attempt.isHandedBack) return false
    return travel.isArriving(key)
  }

  /** Goes on with an attempt of an earlier server whose snapshot was on its way. @returns false where that cannot be */
  async function takeUp({ state, award, ...row }: HostedRow): Promise<boolean> {
    const key = { home: row.home, jobId: row.jobId, epoch: row.epoch }
    if (state !== 'placing' || !(await travel.isArriving(key))) return false
    const { spec, snapshot } = hostedJob(key, award, settings.limits, clock.now())
    const place = reservations.reserve(award.bidId, settings.bidMs, classOf(spec, snapshot))
    if (place === null || !reservations.take(award.bidId)) return false
    begin(key, award)
    return true
  }

  /** Its row goes last: what is cut off in between is forgotten the next time. Of one that is not here there is nothing to forget. */
  async function forget(key: HostedKey): Promise<void> {
    if (!(await hosted.get(key))) return
    await hostedLogs.remove(fileNameOf(key))
    await travel.remove(key)
    if ((await othersOf(key)).length === 0) await workspace.release([key.jobId])
    await hosted.remove(key)
    forgetting.gone(key)
  }

  async function accept(key: HostedKey, award: Award): Promise<void> {
    if (!reservations.take(award.bidId)) throw new ApiError('not_yours', 'The bid has expired; ask for another.')
    try {
      if (settledAhead.has(fileNameOf(key)))
        throw new ApiError('not_yours', 'Its home said that it is over before the award came.')
      await fence(key)
      if (!(await hosted.accept(key, award, clock.now())))
        throw new ApiError('not_yours', `Attempt ${key.epoch} of job ${key.jobId} was here, or the job is somebody else's.`)
    } catch (error) {
      reservations.release(award.bidId)
      throw error
    }
    begin(key, award)
    // What was decided while it was written down concerns it too.
    if (isClosing) running.get(fileNameOf(key))?.controller.abort(new Stop('shutdown'))
    dismissUntrusted()
    forgetting.occasionally()
  }

  const answerOf = (name: string): Awarded => ({
    needsSnapshot: running.get(name)?.needsSnapshot ?? false,
    mark: markNow(),
  })

  async function awarded(key: HostedKey): Promise<Awarded | null> {
    const name = fileNameOf(key)
    await recovered.promise
    await taking.get(name)
    // One that has ended too: how it went is still to be fetched.
    return running.has(name) || (await hosted.get(key)) ? answerOf(name) : null
  }

  return {
    awarded,

    async isAnothers(home, jobId) {
      const isHosted = (await hosted.all()).some(row => row.jobId === jobId && row.home !== home)
      return isHosted || (await store.job(jobId)) !== null
    },

    async award(home, award) {
      const key = { home, jobId: award.jobId, epoch: award.epoch }
      const name = fileNameOf(key)
      const before = await awarded(key)
      if (before) return before
      const taken = taking.get(name) ?? accept(key, award).finally(() => taking.delete(name))
      taking.set(name, taken)
      await taken
      return answerOf(name)
    },

    async receiveSnapshot(key, piece) {
      await find(key)
      const most = Math.min(settings.snapshotBytes, settings.limits.diskBytes)
      if (piece.total > most)
        throw new ApiError('body_too_large', `The bundle with the snapshot has ${piece.total} bytes; this node takes ${most}.`, {
          remedy: 'Raise fleet.snapshotBytes there, or run the job on another node (--not-on).',
        })
      const { bytes, whole } = await travel.takeSnapshot(key, piece)
      if (whole !== null) running.get(fileNameOf(key))?.arrived(whole)
      return bytes
    },

    async renew(key, { leaseMs, mark, after, logSafe, waitMs, cancel }, signal) {
      await find(key)
      const attempt = running.get(fileNameOf(key))
      // What is safe at home need not be kept here, and makes room for more.
      attempt?.outflow.acknowledge({ log: logSafe ?? null, n: after })
      void hosted
        .forgetEvents(key, after)
        .catch(error => log.error({ err: error, ...key }, 'Events that are safe at home stay here'))
      // Counted from when the home last heard of us, which is before it asked: our lease ends before its own count does.
      if (mark !== null && mark <= markNow()) attempt?.lease.extend(mark - origin + Math.min(leaseMs, LONGEST_AWAY_MS))
      if (cancel) attempt?.controller.abort(new Stop('cancel'))
      const told = await streams.events(key, after, { waitMs, outflow: attempt?.outflow, signal })
      const { state, end, lastN } = await find(key)
      const isAll = (told.at(-1)?.n ?? after) >= lastN
      return {
        epoch: key.epoch,
        state,
        events: told,
        logBytes: await hostedLogs.size(fileNameOf(key)),
        mark: markNow(),
        end: isAll ? end : null,
        bundle: isAll && end?.kind === 'result' ? await travel.state(key) : null,
      }
    },

    async log(key, offset, signal) {
      await find(key)
      return streams.log(key, offset, signal)
    },

    result: (key, offset) => travel.result(key, offset),

    requireOf: async key => void (await find(key)),

    async modelCalls(key, known, signal) {
      await find(key)
      const attempt = running.get(fileNameOf(key))
      return attempt ? attempt.calls.take(known, signal) : { calls: [], gone: [...known.open], isOver: true }
    },

    async answerModelCall(key, call, piece, signal) {
      await find(key)
      const attempt = running.get(fileNameOf(key))
      return attempt ? attempt.calls.answer(call, piece, signal) : { bytes: 0, isOpen: false }
    },

    async settle(key) {
      settledAhead.note(fileNameOf(key))
      await dismiss(key)
    },

    async recover() {
      unwatch = fleet.onChange(dismissUntrusted)
      const kept: JobId[] = []
      for (const row of await hosted.all()) {
        if (row.end === null && !(await takeUp(row)))
          await hosted.append(row, [], clock.now(), { end: { kind: 'lost', reason: 'The node that ran it was restarted.' } })
        if (forgetting.isOld(row)) await forget(row)
        else kept.push(row.jobId)
      }
      recovered.resolve()
      return kept
    },

    handBack() {
      for (const attempt of running.values()) giveBack(attempt)
      // Of those that were let in before and are being written down, none is to begin.
      for (const [name, taken] of taking)
        void taken.then(
          () => giveBack(running.get(name)),
          () => {},
        )
    },

    evict(id, epoch) {
      const attempt = [...running.values()].find(({ key }) => key.jobId === id && (epoch === null || key.epoch === epoch))
      attempt?.controller.abort(new Stop('evict'))
      return attempt !== undefined
    },

    running: () => running.size,

    forgetOccasionally: forgetting.occasionally,

    async stop() {
      isClosing = true
      unwatch()
      recovered.resolve()
      await Promise.allSettled(taking.values())
      for (const { controller } of running.values()) controller.abort(new Stop('shutdown'))
      await Promise.all([...running.values()].map(({ done }) => done))
      await forgetting.settled()
    },
  }
}
