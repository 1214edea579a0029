import type { Disconnect, JobId, JobRequest } from '#shared/model/index.ts'
import { JobSpec } from '#shared/model/index.ts'
import type { Ledger } from './ledger.ts'
import type { SimulatedNode } from './node.ts'
import type { Random } from './random.ts'
import type { Drill } from './schedule.ts'
import type { Timeline } from './timeline.ts'

/** A job that somebody asks for. */
export interface Wish {
  readonly at: number
  readonly home: string
  readonly key: string
  readonly spec: JobSpec
  /** After how long it is cancelled; null for never. */
  readonly cancelAfterMs: number | null
}

const DISCONNECT: readonly Disconnect[] = [{ kind: 'keep-both' }, { kind: 'keep-both' }, { kind: 'wait', ms: 240_000 }]

export function createWishes(random: Random, nodes: readonly string[], ms: number): Wish[] {
  const count = 4 + random.int(6)
  return Array.from({ length: count }, (_, index): Wish => {
    const work = { steps: 2 + random.int(12), stepMs: Math.floor(random.between(200, 12_000)) }
    const hasRepository = random.chance(0.7)
    const home = random.pick(nodes)
    const request: JobRequest = {
      agent: 'counting',
      task: JSON.stringify(work),
      maxAttempts: 20,
      ...(hasRepository ? { repository: { path: `/home/repo-${random.int(3)}` } } : {}),
      ...(hasRepository && random.chance(0.4) ? { checks: [['true']] } : {}),
      ...(random.chance(0.2) ? { disconnect: random.pick(DISCONNECT) } : {}),
      where: random.chance(0.1) ? { local: true } : { notOn: random.chance(0.6) ? [home] : [] },
    }
    return {
      at: Math.floor(random.between(0, ms)),
      home,
      key: `wish ${index}`,
      spec: JobSpec.parse(request),
      cancelAfterMs: random.chance(0.15) ? Math.floor(random.between(0, 120_000)) : null,
    }
  })
}

/** Jobs for a drill: for other nodes than their home, which begin at once, without a snapshot to wait for. */
export function createDrillWishes(random: Random, drill: Drill, nodes: readonly string[], ms: number): Wish[] {
  const isLong = drill !== 'much-to-tell'
  return Array.from({ length: 3 }, (_, index): Wish => {
    const home = random.pick(nodes)
    const work = isLong
      ? { steps: 12 + random.int(12), stepMs: Math.floor(random.between(1_000, 4_000)) }
      : { steps: 2, stepMs: 500, lastReports: 600 }
    const request: JobRequest = { agent: 'counting', task: JSON.stringify(work), maxAttempts: 20, where: { notOn: [home] } }
    const at = Math.floor(random.between(0, ms / 2))
    return { at, home, key: `drill ${index}`, spec: JobSpec.parse(request), cancelAfterMs: null }
  })
}

/** Pause before somebody tries again, ms. */
const AGAIN_MS = 5_000
/** What a reader does with one event takes this long, ms. */
const READ_MS = 5

/** Asks for jobs as a person with a script would: again and again, under the same key, until it was accepted. */
export function playWishes(deps: {
  timeline: Timeline
  nodes: readonly SimulatedNode[]
  wishes: readonly Wish[]
  ledger: Ledger
  trace: (line: string) => void
}): void {
  const { timeline, nodes, wishes, ledger, trace } = deps
  const never = new AbortController().signal

  function submit(wish: Wish): void {
    const server = nodes.find(({ name }) => name === wish.home)?.server()
    const again = () => timeline.after(AGAIN_MS, () => submit(wish))
    if (!server?.isReady() || server.process.isPaused()) {
      again()
      return
    }
    // A server that ends while it is asked says nothing; then it is asked again.
    let isAnswered = false
    server.process.onEnd(() => !isAnswered && again())
    const asked = server.handlers.createJob({ body: wish.spec, headers: { 'idempotency-key': wish.key } }, { signal: never })
    void asked.then(
      ({ body }) => {
        isAnswered = true
        accept(wish, body.jobId)
      },
      error => {
        isAnswered = true
        trace(`${wish.key} was refused: ${error}`)
        again()
      },
    )
  }

  function accept(wish: Wish, jobId: JobId): void {
    trace(`${wish.home} accepted ${wish.key} as ${jobId}`)
    if (ledger.accepted.has(jobId)) return
    for (const [other, { key, home }] of ledger.accepted)
      if (key === wish.key && home === wish.home && other !== jobId)
        ledger.violations.push(`${wish.key} became two jobs: ${other} and ${jobId}`)
    ledger.accepted.set(jobId, { home: wish.home, key: wish.key, keepsBoth: wish.spec.disconnect?.kind === 'keep-both' })
    void read(wish.home, jobId)
    if (wish.cancelAfterMs !== null) timeline.after(wish.cancelAfterMs, () => cancel(wish, jobId))
  }

  /** Follows the events of a job to its end; where its home has gone, from the last one that was heard. */
  async function read(home: string, jobId: JobId): Promise<void> {
    const server = nodes.find(({ name }) => name === home)?.server()
    if (!server?.isReady() || server.process.isPaused()) {
      timeline.after(AGAIN_MS, () => void read(home, jobId))
      return
    }
    server.process.onEnd(() => void timeline.after(AGAIN_MS, () => void read(home, jobId)))
    const after = ledger.heard.get(jobId) ?? 0
    const input = { params: { id: jobId }, query: { after, limit: 100 }, headers: {} }
    const events = await server.handlers.listEvents(input, { signal: never })
    for await (const { n } of events.follow()) {
      if (!server.process.isAlive()) return
      const heard = ledger.heard.get(jobId) ?? 0
      if (n !== heard + 1) ledger.violations.push(`a reader of job ${jobId} heard event ${n} after ${heard}`)
      ledger.heard.set(jobId, n)
      // Slower than events may come, so that some wait and some are read while others come.
      await new Promise<void>(resolve => timeline.after(READ_MS, resolve))
    }
  }

  function cancel(wish: Wish, jobId: JobId): void {
    const server = nodes.find(({ name }) => name === wish.home)?.server()
    if (!server?.isReady() || server.process.isPaused()) {
      timeline.after(AGAIN_MS, () => cancel(wish, jobId))
      return
    }
    ledger.cancelled.add(jobId)
    void server.handlers.cancelJob({ params: { id: jobId } }, { signal: never }).catch(error => trace(`${jobId}: ${error}`))
  }

  for (const wish of wishes) timeline.after(wish.at, () => submit(wish))
}
