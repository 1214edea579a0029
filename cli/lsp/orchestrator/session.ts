import { messageOf } from '#server/lib/message-of.ts'
import { ApiError, type Client, type ServerState, type Topic } from '#shared/contract/index.ts'
import { CliError } from '../../exit-codes.ts'
import type { Located } from './locate.ts'
import { createSubscriptions, type Deliver, type Following } from './subscriptions.ts'
import { runWire } from './wire.ts'

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 30_000
/** A connection that held for so long was a good one: the next loss begins with a short pause. */
const GOOD_MS = 10_000

/**
 * This process's way to the orchestrator, over its restarts. `starting -> ready -> starting`, and `starting -> lost -> starting` where
 * it cannot be had.
 */
export interface Session {
  state(): ServerState
  start(): void
  /** Tries at once what would be tried after a pause. */
  reconnect(): void
  /** Waits while the server starts. @throws {ApiError} not_ready while it cannot be had, or when the signal aborts */
  client(asked: AbortSignal): Promise<Client>
  /** @param cursor the last that was already seen; undefined: as the topic says */
  follow(topic: Topic, cursor: number | undefined, deliver: Deliver): Following
  close(): void
}

export interface SessionDeps {
  /** @throws {CliError} {ApiError} when there is no server to be had */
  locate(signal: AbortSignal): Promise<Located>
  /** Where a server that this process starts would write its log. */
  readonly logFile: string | null
  changed(state: ServerState): void
  /** Between 0 and 1: windows that lost the same server do not all look for it in the same moment. */
  readonly random: () => number
}

export function createSession(deps: SessionDeps): Session {
  const subscriptions = createSubscriptions()
  const over = new AbortController()
  const { signal } = over
  let state: ServerState = { state: 'starting', reason: null }
  let client: Client | null = null
  let wake = () => {}
  /** Fulfils when the server is ready or cannot be had. */
  let settled = Promise.withResolvers<void>()
  let isStarted = false

  function become(next: ServerState): void {
    if (JSON.stringify(next) === JSON.stringify(state)) return
    const isAnew = next.state === 'starting' && state.state !== 'starting'
    state = next
    if (isAnew) settled = Promise.withResolvers()
    if (next.state === 'lost') subscriptions.release()
    deps.changed(next)
    if (next.state !== 'starting') settled.resolve()
  }

  /** @returns why the connection ended @throws when there was none */
  async function connectOnce(): Promise<string> {
    const found = await deps.locate(signal)
    try {
      const { url, version, isLocal, logFile } = found
      const ready = (node: string) => {
        client = found.client
        become({ state: 'ready', url, node, version, isLocal, logFile })
      }
      return await runWire(found, subscriptions, ready, signal)
    } finally {
      client = null
    }
  }

  async function run(): Promise<void> {
    let failures = 0
    while (!signal.aborted) {
      const begun = performance.now()
      try {
        const reason = await connectOnce()
        failures = performance.now() - begun > GOOD_MS ? 0 : failures + 1
        become({ state: 'starting', reason })
        await pause(pauseAfter(failures))
      } catch (error) {
        if (signal.aborted) return
        const retryInMs = pauseAfter(++failures)
        const reason = messageOf(error)
        become({ state: 'lost', reason, remedy: remedyOf(error), retryInMs, logFile: deps.logFile })
        await pause(retryInMs)
        become({ state: 'starting', reason })
      }
    }
  }

  const pauseAfter = (failures: number): number =>
    Math.round(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures) * (0.5 + deps.random() / 2))

  /** Ends early when somebody asks for it. */
  function pause(ms: number): Promise<void> {
    if (signal.aborted) return Promise.resolve()
    return new Promise(resolve => {
      const timer = setTimeout(resolve, ms)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  return {
    state: () => state,
    start() {
      if (isStarted) return
      isStarted = true
      deps.changed(state)
      void run()
    },
    reconnect() {
      if (state.state === 'lost') become({ state: 'starting', reason: state.reason })
      wake()
    },
    async client(asked) {
      const abandoned = new Promise<void>(resolve => asked.addEventListener('abort', () => resolve(), { once: true }))
      while (!client) {
        if (signal.aborted || asked.aborted) throw new ApiError('not_ready', 'It is not waited for any more.')
        if (state.state === 'lost')
          throw new ApiError('not_ready', state.reason, {
            retryAfterMs: state.retryInMs,
            ...(state.remedy === null ? {} : { remedy: state.remedy }),
          })
        await Promise.race([settled.promise, abandoned])
      }
      return client
    },
    follow(topic, cursor, deliver) {
      const following = subscriptions.follow(topic, cursor, deliver)
      if (state.state === 'lost') subscriptions.release()
      return following
    },
    close() {
      over.abort()
      wake()
      settled.resolve()
      subscriptions.release()
    },
  }
}

const remedyOf = (error: unknown): string | null =>
  error instanceof CliError ? (error.remedy ?? null) : error instanceof ApiError ? (error.extras.remedy ?? null) : null
