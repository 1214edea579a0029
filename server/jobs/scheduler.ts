import { Lifetime } from '#server/lib/lifetime.ts'
import type { Reservations } from '#server/placement/index.ts'
import type { AwayRow, JobRow, Lesson } from '#server/store/index.ts'
import {
  type AttemptEnd,
  type Card,
  isEnd,
  type JobId,
  LONGEST_AWAY_MS,
  type NodeId,
  type PlacementOutcome,
} from '#shared/model/index.ts'
import type { Win } from './aside.ts'
import { endOf, runAttempt } from './attempt.ts'
import type { Away, AwayEnd } from './away.ts'
import type { Ended } from './conclude.ts'
import type { Dismissals } from './dismissals.ts'
import type { Drain } from './drain.ts'
import { AGAIN_MS, type Ending, type Learned, lacksSpace } from './ending.ts'
import { classOf, type Experience, isTelling, keptBy } from './experience.ts'
import { pause } from './pause.ts'
import type { Permissions } from './permissions.ts'
import type { Placed, Placing } from './placing.ts'
import type { JobDeps } from './ports.ts'
import { createProgress } from './progress.ts'
import { Stop, type StopKind } from './stop.ts'
import { startWithin, waitForSlot } from './waiting.ts'

/** Claims queued jobs while there is room and runs their attempts. Idle, it does nothing at all: the write of a job wakes it. */
export interface Scheduler {
  /** @param followed attempts on other nodes that an earlier server gave away */
  start(followed: readonly { job: JobRow; row: AwayRow }[]): Promise<void>
  /** Tells the attempt of a job to end, if one runs here. */
  stopJob(id: JobId, kind: StopKind): boolean
  /** Has an attempt of a job give its place free. @param epoch null for whichever it is @returns whether it runs here */
  evict(id: JobId, epoch: number | null): boolean
  /** Ends a job by an attempt that was set aside: its newest one is stopped first. One that has ended refuses it. */
  win(win: Win): Promise<void>
  /** Claims no more, tells every attempt to end, and waits for them. */
  stop(): Promise<void>
  running(): number
}

interface Running {
  readonly epoch: number
  readonly controller: AbortController
  readonly done: Promise<void>
  /** An attempt that was set aside and has ended first. */
  instead: Win | null
}

export interface SchedulerParts {
  readonly ending: Ending
  readonly permissions: Permissions
  readonly reservations: Reservations
  readonly placing: Placing
  readonly away: Away
  readonly dismissals: Pick<Dismissals, 'wake'>
  readonly drain: Pick<Drain, 'isDraining' | 'onEnd'>
  readonly experience: Experience
  /** Called when an attempt was set aside. */
  readonly setAside: () => void
  /** Called when an attempt is over. */
  readonly ended: () => void
}

/** An end that gives the attempt back, as the home of its job sees it; null for others. */
const returned = (end: AttemptEnd): Ended | null =>
  end.kind === 'stopped' && end.handedBack ? { kind: 'returned', reason: end.reason ?? 'This node is draining.' } : null

/** Slots and waiting places of a node, by its card. */
const roomOn = ({ slots, busy, waitingPlaces, waiting }: Card): number =>
  Math.max(0, slots - busy) + Math.max(0, waitingPlaces - waiting)

/** Jobs that may look for a node at once, beyond those that have room here. */
const MOST_PLACING = 32
/** Jobs beyond those that may wait for a node that can do them: one that is switched off may be back. */
const MOST_STRANDED = 64
/** Until a job that was just claimed has its attempt, ms. */
const CLAIM_MS = 20

export function createScheduler(deps: JobDeps, parts: SchedulerParts): Scheduler {
  const { store, clock, log, fleet } = deps
  const { ending, permissions, reservations, placing, away, dismissals, drain, experience } = parts
  /** Attempts that are not settled yet, by job. */
  const running = new Map<JobId, Running>()
  /** How many of them look for a node that has room. */
  let looking = 0
  /** How many look for one that can do them at all: those hold up nobody. */
  let stranded = 0
  let open = false
  let pumping: Promise<void> | null = null
  let again = false
  let cancelDeadline = () => {}
  let unsubscribe = () => {}
  const closing = new AbortController()

  /** How many jobs could find a node now: by this node's own account, and by the cards of others. */
  function room(): number {
    const cards = fleet.cards()
    const elsewhere = cards.reduce((sum, card) => sum + (card.draining ? 0 : roomOn(card)), 0)
    // Without anybody to compare with, what waits does so in the queue, where priorities count.
    const places = cards.length > 0 ? reservations.waitingPlaces - reservations.waiting() : 0
    const here = drain.isDraining() ? 0 : reservations.free() + places
    return here + Math.min(elsewhere, MOST_PLACING) - looking
  }

  /** Claims while there is room. One round at a time; a wake-up during a round asks for another. */
  function pump(): Promise<void> {
    again = true
    pumping ??= claimAll().finally(() => {
      pumping = null
      // Whoever came after the last look, too.
      if (again && open) void pump()
    })
    return pumping
  }

  async function claimAll(): Promise<void> {
    try {
      while (again && open) {
        again = false
        const free = room()
        if (free > 0) for (const job of await store.claim(free, clock.now())) begin(job, signal => attempt(job, signal))
        if (!again) await armDeadline()
      }
    } catch (error) {
      log.error({ err: error }, 'Failed to claim jobs; it is tried again')
      cancelDeadline()
      if (open) cancelDeadline = clock.after(AGAIN_MS, () => void pump())
    }
  }

  function begin(job: JobRow, work: (signal: AbortSignal) => Promise<void>): void {
    const controller = new AbortController()
    if (!open) controller.abort(new Stop('shutdown'))
    // Asked for while nothing here ran it: between two attempts, or before a restart.
    else if (job.cancelRequested) controller.abort(new Stop('cancel'))
    const done = work(controller.signal)
      .catch(error => log.error({ err: error, jobId: job.id }, 'Failed to conclude an attempt; the next start will'))
      .finally(() => {
        // A job that went back to the queue may run again already.
        if (running.get(job.id)?.controller === controller) running.delete(job.id)
        parts.ended()
      })
    running.set(job.id, { epoch: job.epoch, controller, done, instead: null })
  }

  async function attempt(job: JobRow, signal: AbortSignal): Promise<void> {
    const placed = await find(job, signal)
    if (placed === null) return
    // It explains, and decides nothing.
    if (placed.bargain)
      await placing
        .remember(job, placed.bargain.record)
        .catch(error => log.warn({ err: error, jobId: job.id }, 'Failed to keep how a job was placed'))
    if (placed.kind === 'there') await settleAway(await away.run(job, placed, signal), placed)
    else {
      await runHere(job, placed, signal)
    }
  }

  /** @returns null when the job ended while it looked for a node */
  async function find(job: JobRow, signal: AbortSignal): Promise<Placed | null> {
    looking += 1
    let isStranded = false
    const nobodyCan = () => {
      if (isStranded || stranded >= MOST_STRANDED) return
      isStranded = true
      looking -= 1
      stranded += 1
      void pump()
    }
    let placed: Placed | null = null
    try {
      placed = await placing.place(job, signal, { asOfNow: awayFromAside, nobodyCan })
    } catch (error) {
      placing.learn(job.id, fleet.self.id, false)
      await settle(job, endOf(error, signal))
    } finally {
      if (isStranded) stranded -= 1
      else looking -= 1
      // The place of one that starts here was counted for it; otherwise there is room for one more.
      if (placed?.kind !== 'here') void pump()
    }
    return placed
  }

  /** A job with an attempt that may still finish goes to other nodes, and waits for them however long. */
  async function awayFromAside(job: JobRow): Promise<JobRow> {
    const { disconnect, where } = job.spec
    const rows = disconnect?.kind === 'keep-both' ? await store.aside(job.id) : []
    if (rows.length === 0) return job
    const notOn = [...where.notOn, ...rows.map(({ worker }) => worker)]
    return { ...job, queueDeadline: clock.now() + LONGEST_AWAY_MS, spec: { ...job.spec, where: { ...where, notOn } } }
  }

  async function runHere(
    job: JobRow,
    { placeId, executor: chosen, bargain }: Placed & { kind: 'here' },
    signal: AbortSignal,
  ): Promise<void> {
    const awarded = clock.monotonic()
    const never = await waitForSlot({ clock, reservations }, placeId, startWithin(job, clock.now()), signal).catch(error =>
      endOf(error, signal),
    )
    if (never) {
      reservations.release(placeId)
      return settle(job, returned(never) ?? never)
    }
    const started = clock.monotonic()
    await using leftovers = new Lifetime()
    const progress = createProgress({ job, ...deps })
    const end = await runAttempt(progress, deps, permissions, signal, leftovers)
    const times = { startMs: started - awarded, runMs: clock.monotonic() - started }
    const executor = end.kind === 'result' ? end.result.executor : (chosen ?? job.spec.executor)
    const ran = isTelling(end) ? { ...classOf({ ...job.spec, executor }, job.snapshot), ms: times.runMs } : undefined
    const back = returned(end)
    // There was no place for it after all; to try again at once would go round and round.
    placing.learn(job.id, fleet.self.id, back !== null)
    const learned = learn(job, end, { node: fleet.self.id, executor, bargain, times, ran })
    // Before the next is claimed, so that the end of this job and that claim share a write.
    const settled = settle(progress.job, back ?? end, progress.unwritten(), learned)
    reservations.release(placeId)
    await settled
  }

  async function settleAway({ job, end, times }: AwayEnd, placed?: Placed & { kind: 'there' }): Promise<void> {
    if (end === 'detached') return
    if (placed) placing.learn(job.id, placed.node, end.kind === 'returned')
    await settle(job, end, undefined, placed && times ? learn(job, end, { ...placed, times }) : undefined)
    if (end.kind === 'aside') parts.setAside()
    dismissals.wake()
  }

  /** What an attempt teaches: how long such ones take here, and how far the promise of its node was to be believed. */
  function learn(
    { spec, snapshot }: JobRow,
    end: Ended,
    attempt: {
      node: NodeId
      executor: string
      bargain: Placed['bargain']
      times: PlacementOutcome['actual']
      ran?: Lesson['ran'] | undefined
    },
  ): Learned {
    const { node, executor, bargain, times, ran } = attempt
    const run = ran && { ran }
    if (!bargain || end.kind !== 'result') return run ? { lesson: experience.learn(run) } : {}
    const actual = { startMs: Math.round(times.startMs), runMs: Math.round(times.runMs) }
    const outcome = { promised: bargain.promised, actual }
    const lesson = experience.learn({ kept: keptBy(node, classOf({ ...spec, executor }, snapshot), outcome), ...run })
    return { lesson, placement: { ...bargain.record, outcome } }
  }

  /** Writes how an attempt ended. */
  async function settle(...how: Parameters<Ending['settle']>): Promise<void> {
    await write(...how)
    // Of a job that keeps both, whatever ends.
    if (how[0].spec.disconnect?.kind === 'keep-both') dismissals.wake()
  }

  /** However long the disk is full: nobody else would before the next start. */
  async function write(...[job, end, unwritten, learned]: Parameters<Ending['settle']>): Promise<void> {
    for (;;) {
      try {
        const instead = end.kind === 'result' ? null : (running.get(job.id)?.instead ?? null)
        if (!instead) return await ending.settle(job, end, unwritten, learned)
        if (await ending.settleByAside(job, instead, unwritten)) return
        // It was stopped for the other one, not for a person.
        return await ending.settle(job, { kind: 'returned', reason: 'Another attempt ended first.' })
      } catch (error) {
        if (!lacksSpace(error) || closing.signal.aborted) throw error
        log.error({ err: error, jobId: job.id }, 'Failed to write how an attempt ended; it is tried again')
        await pause(clock, AGAIN_MS, closing.signal)
      }
    }
  }

  /** Jobs that waited too long fail, with one timer for the next deadline of all. */
  async function armDeadline(): Promise<void> {
    cancelDeadline()
    if (!open) return
    const now = clock.now()
    const { ids, next } = await store.overdue(now)
    for (const id of ids) await expire(id)
    if (next !== null && open) cancelDeadline = clock.after(Math.max(0, next - now), () => void pump())
  }

  async function expire(id: JobId): Promise<void> {
    const job = await store.job(id)
    if (job?.state !== 'queued') return
    const failure = {
      code: 'queue_timeout',
      detail: 'The job waited longer for its first attempt than it may (timeouts.queueMs).',
      remedy: 'Retry it when the node has room.',
    } as const
    const at = clock.now()
    const expired = await store.change({
      id,
      guard: { state: 'queued', epoch: job.epoch },
      patch: { state: 'failed', endedAt: at, failure },
      events: [{ type: 'job.state', from: 'queued', to: 'failed', epoch: job.epoch, failure }],
      at,
    })
    if (expired) await ending.finish(id)
  }

  return {
    async start(followed) {
      open = true
      const subscriptions = [store.onQueued, reservations.onFree, fleet.onChange, drain.onEnd].map(on => on(() => void pump()))
      unsubscribe = () => {
        for (const off of subscriptions) off()
      }
      for (const { job, row } of followed) {
        // A person may have asked to cancel it since it was read.
        const now = (await store.job(job.id)) ?? job
        begin(now, async signal => settleAway(await away.resume(now, row, signal)))
      }
      await pump()
    },
    stopJob(id, kind) {
      const attempt = running.get(id)
      attempt?.controller.abort(new Stop(kind))
      return attempt !== undefined
    },
    evict(id, epoch) {
      const attempt = running.get(id)
      if (!attempt || (epoch !== null && attempt.epoch !== epoch)) return false
      attempt.controller.abort(new Stop('evict'))
      return true
    },
    async win(win) {
      const { jobId } = win.row
      for (;;) {
        const newest = running.get(jobId)
        if (newest) {
          newest.instead = win
          newest.controller.abort(new Stop('cancel'))
          await newest.done
        }
        const job = await store.job(jobId)
        if (job?.result?.epoch === win.row.epoch) return dismissals.wake()
        if (!job || isEnd(job.state)) return ending.refuseAside(win)
        if (!open) return
        if (job.state === 'queued' && (await ending.settleByAside(job, win))) return dismissals.wake()
        // It is being claimed.
        await pause(clock, CLAIM_MS, closing.signal)
      }
    },
    async stop() {
      open = false
      unsubscribe()
      cancelDeadline()
      closing.abort(new Stop('shutdown'))
      await pumping
      for (const { controller } of running.values()) controller.abort(new Stop('shutdown'))
      await Promise.all([...running.values()].map(({ done }) => done))
    },
    running: () => running.size,
  }
}
