import type { Clock } from '#server/lib/clock.ts'
import { SandboxError, type SandboxSpec } from '../index.ts'
import type { Calls } from './calls.ts'
import type { Log } from './deps.ts'
import { whyLate } from './lateness.ts'
import type { jobManifest, secretManifest } from './manifest.ts'
import { explain } from './refusals.ts'
import type { Sighting, Sightings } from './sightings.ts'
import { type Condition, judge } from './status.ts'

/** A pod that runs, or did. */
export interface PodPlace {
  readonly name: string
  /** What the cluster last said of it. */
  condition(): Condition
  /** Aborts with a SandboxError of code `lost` when it is gone by no doing of ours. */
  readonly lost: AbortSignal
  /** Ends and removes it, by force after the grace; fulfils when the cluster says that it is gone. May be called again. */
  remove(): Promise<void>
}

export interface PlaceDeps {
  readonly calls: Calls
  readonly sightings: Sightings
  readonly graceMs: number
  /** How long it may take until it runs. */
  readonly startMs: number
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
  /** Aborts when the executor is closed: what is not removed by then is left to the next run. */
  readonly closed: AbortSignal
}

/** Past the grace, what a node may take to say that a pod is gone. */
const REMOVAL_MS = 10_000
/** How long somebody waits for a removal that the API server does not confirm. It is tried on after that. */
const LONGEST_REMOVAL_MS = 120_000
const PAUSE_MS = 500
/** How long the cluster may take to say how its nodes are, when something is late. */
const ASK_MS = 5_000
const LONGEST_PAUSE_MS = 10_000

/** Makes a Job and waits until its container runs. @throws {SandboxError} and leaves nothing behind then */
export async function makePlace(
  input: {
    spec: Pick<SandboxSpec, 'id' | 'note'>
    job: ReturnType<typeof jobManifest>
    secret: ReturnType<typeof secretManifest>
    signal: AbortSignal | undefined
    /** Told when there is nothing left of it. */
    gone(): void
    /** Told, before anything is made, how to ask how it is. */
    watched?: ((condition: () => Condition) => void) | undefined
    /** Fulfils when it runs, as far as that is known otherwise than by the cluster. */
    begun?: Promise<unknown> | undefined
  },
  deps: PlaceDeps,
): Promise<PodPlace> {
  const { spec, job, secret, signal, gone, begun } = input
  const { calls, log } = deps
  const { name } = job.metadata
  const view = await openView(name, deps)
  const condition = () => judge(view.seen())
  input.watched?.(condition)
  let isOwned = false
  const remove = createRemoval({ spec, name, view, isOwned: () => isOwned, gone }, deps)
  try {
    // Before the Job: a node that looks for a Secret too early looks again only after seconds.
    await calls.createSecret(secret, signal)
    const uid = await calls.createJob(job, signal)
    await calls.giveSecret(name, uid, signal)
    isOwned = true
    await untilRunning(spec, view, { signal, begun }, deps)
  } catch (error) {
    const removal = remove().catch(cause => log.warn({ err: cause, sandbox: spec.id }, 'A sandbox that failed is not gone yet'))
    // A cluster that does not answer, or lets us do nothing, is not waited for: the removal goes on by itself.
    if (signal?.aborted || explain(error, 'make it').code !== 'unavailable') await removal
    throw signal?.aborted ? signal.reason : explain(error, `make a pod for ${spec.id}`)
  }

  const lost = new AbortController()
  let isRemoved = false
  const stop = view.each(seen => {
    const why = isRemoved ? null : whyLost(seen)
    if (why !== null) lost.abort(new SandboxError('lost', why))
  })
  return {
    name,
    condition,
    lost: lost.signal,
    remove() {
      isRemoved = true
      stop()
      return remove()
    },
  }
}

/** What is seen of one sandbox, and who waits for it to change. */
interface View {
  seen(): Sighting
  /** Calls now and after each change. @returns how to stop. */
  each(call: (seen: Sighting) => void): () => void
  /** Whether it came to what is waited for within `ms`. */
  until(test: (seen: Sighting) => boolean, ms: number): Promise<boolean>
  close(): void
}

async function openView(name: string, { sightings, clock }: PlaceDeps): Promise<View> {
  const listeners = new Set<(seen: Sighting) => void>()
  let seen: Sighting = { job: null, pod: null, events: [], isJobGone: false, isPodGone: false }
  const close = await sightings.follow(name, now => {
    seen = now
    for (const listener of [...listeners]) listener(now)
  })
  const each = (call: (seen: Sighting) => void) => {
    listeners.add(call)
    call(seen)
    return () => void listeners.delete(call)
  }
  return {
    seen: () => seen,
    each,
    close,
    async until(test, ms) {
      const { promise, resolve } = Promise.withResolvers<boolean>()
      const cancel = clock.after(ms, () => resolve(test(seen)))
      const stop = each(now => test(now) && resolve(true))
      try {
        return await promise
      } finally {
        cancel()
        stop()
      }
    },
  }
}

/** Tells in words how it goes on. @throws {SandboxError} when it will not run, or does not in time */
async function untilRunning(
  spec: Pick<SandboxSpec, 'id' | 'note'>,
  view: View,
  { signal, begun }: { signal: AbortSignal | undefined; begun: Promise<unknown> | undefined },
  { startMs, clock, calls, sightings }: PlaceDeps,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const fail = (code: SandboxError['code'], why: string, remedy?: string) =>
    reject(new SandboxError(code, `Sandbox ${spec.id}: ${why}`, remedy === undefined ? {} : { remedy }))
  const late = async () => {
    const machines = await calls.listMachines(ASK_MS).catch(() => null)
    const { code, text, remedy } = whyLate({ seen: view.seen(), trouble: sightings.trouble()?.message ?? null, machines })
    fail(code, `it did not start within ${startMs / 1000} s. ${text}`, remedy)
  }
  const given = () => reject(signal?.reason)
  let told: string | null = null
  const stop = view.each(seen => {
    const { state, failure, reason } = judge(seen)
    const lost = whyLost(seen)
    if (failure?.isFinal) fail(failure.code, failure.text, failure.remedy)
    else if (lost !== null) fail('lost', lost)
    else if (state === 'running') resolve()
    else if (reason !== null && reason !== told) {
      told = reason
      spec.note?.(reason)
    }
  })
  const cancel = clock.after(startMs, () => void late())
  // Why it does not come is found out by others.
  void begun?.then(
    () => resolve(),
    () => {},
  )
  signal?.addEventListener('abort', given)
  if (signal?.aborted) given()
  try {
    await promise
  } finally {
    cancel()
    stop()
    signal?.removeEventListener('abort', given)
  }
}

/** One removal, for all who ask: it goes on until the cluster confirms it, however long the API server is away. */
function createRemoval(
  of: { spec: Pick<SandboxSpec, 'id'>; name: string; view: View; isOwned(): boolean; gone(): void },
  { calls, clock, graceMs, random, log, closed }: PlaceDeps,
): () => Promise<void> {
  const { spec, name, view, isOwned, gone } = of
  const isGone = ({ pod, isPodGone }: Sighting) => pod === null || isPodGone
  const pause = (ms: number) => new Promise<void>(resolve => void clock.after(ms, resolve))

  const removeOnce = async (): Promise<boolean> => {
    await calls.deleteJob(name)
    if (!isOwned()) await calls.deleteSecret(name)
    if (await view.until(isGone, graceMs + REMOVAL_MS)) return true
    const { pod } = view.seen()
    if (pod) await calls.forcePod(pod.metadata.name)
    return view.until(isGone, REMOVAL_MS)
  }
  const removeForGood = async () => {
    for (let ms = PAUSE_MS; !closed.aborted; ms = Math.min(2 * ms, LONGEST_PAUSE_MS)) {
      const isDone = await removeOnce().catch(error => {
        if (ms === PAUSE_MS)
          log.warn({ err: error, sandbox: spec.id }, 'A sandbox could not be removed from the cluster, and is tried again')
        return false
      })
      if (isDone) break
      await pause(ms * (0.5 + random() / 2))
    }
    view.close()
    gone()
  }

  let removal: Promise<void> | null = null
  return async () => {
    removal ??= removeForGood()
    const { promise: late, reject } = Promise.withResolvers<never>()
    const seconds = LONGEST_REMOVAL_MS / 1000
    const error = new SandboxError('failed', `The pod of ${spec.id} is not gone after ${seconds} s; its removal is tried on`)
    const cancel = clock.after(LONGEST_REMOVAL_MS, () => reject(error))
    try {
      await Promise.race([removal, late])
    } finally {
      cancel()
    }
  }
}

/** Why a sandbox that ran is no more; null while it is there. */
function whyLost(seen: Sighting): string | null {
  const { failure, state } = judge(seen)
  if (failure?.isFinal) return failure.text
  if (seen.isJobGone || seen.job?.metadata.deletionTimestamp) return 'Its Job was deleted by somebody'
  if (seen.isPodGone || seen.pod?.metadata.deletionTimestamp) return 'Its pod was deleted by somebody'
  return state === 'ended' ? 'Its runner ended' : null
}
