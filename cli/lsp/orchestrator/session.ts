import { ApiError, type Client, type ServerState, type Topic } from '#shared/contract/index.ts'
import { CliError } from '../../exit-codes.ts'
import type { Located } from './locate.ts'
import { createSubscriptions, type Deliver } from './subscriptions.ts'
import { runWire, type Wire } from './wire.ts'

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 30_000
/** A connection that held for so long was a good one: the next loss begins with a short pause. */
const GOOD_MS = 10_000

/** This process's way to the orchestrator, over its restarts. */
export interface Session {
  state(): ServerState
  start(): void
  /** Tries at once what would be tried after a pause. */
  reconnect(): void
  /** Waits while the server starts. @throws {ApiError} not_ready while it cannot be had */
  client(): Promise<Client>
  /** @returns ends it */
  follow(topic: Topic, cursor: number | undefined, deliver: Deliver): () => void
  close(): void
}

export function createSession(deps: {
  locate(signal: AbortSignal): Promise<Located>
  logFile: string | null
  changed(state: ServerState): void
}): Session {
  const subscriptions = createSubscriptions()
  const over = new AbortController()
  const { signal } = over
  let state: ServerState = { state: 'starting', reason: null }
  let client: Client | null = null
  let wire: Wire | null = null
  let wake = () => {}
  let settled = Promise.withResolvers<void>()
  let isStarted = false

  function become(next: ServerState): void {
    if (JSON.stringify(next) === JSON.stringify(state)) return
    state = next
    if (next.state === 'starting') settled = Promise.withResolvers()
    else settled.resolve()
    deps.changed(next)
  }

  async function connectOnce(reason: string | null): Promise<string> {
    become({ state: 'starting', reason })
    const found = await deps.locate(signal)
    try {
      return await runWire(
        found,
        subscriptions,
        (opened, node) => {
          wire = opened
          client = found.client
          const { url, version, isLocal, logFile } = found
          become({ state: 'ready', url, node, version, isLocal, logFile })
        },
        signal,
      )
    } finally {
      wire = null
      client = null
    }
  }

  async function run(): Promise<void> {
    let reason: string | null = null
    for (let tries = 0; !signal.aborted; tries++) {
      const begun = performance.now()
      const retryInMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** tries)
      try {
        reason = await connectOnce(reason)
        if (performance.now() - begun > GOOD_MS) tries = 0
      } catch (error) {
        if (signal.aborted) return
        reason = error instanceof Error ? error.message : String(error)
        become({ state: 'lost', reason, remedy: remedyOf(error), retryInMs, logFile: deps.logFile })
      }
      await pause(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** tries))
    }
  }

  /** Ends early when somebody asks for it. */
  function pause(ms: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, ms)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
      if (signal.aborted) wake()
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
    reconnect: () => wake(),
    async client() {
      while (!client) {
        if (state.state === 'lost')
          throw new ApiError('not_ready', state.reason, {
            retryAfterMs: state.retryInMs,
            ...(state.remedy === null ? {} : { remedy: state.remedy }),
          })
        if (signal.aborted) throw new ApiError('not_ready', 'This process is ending.')
        if (state.state === 'ready') become({ state: 'starting', reason: 'the connection ended' })
        await settled.promise
      }
      return client
    },
    follow(topic, cursor, deliver) {
      const number = subscriptions.add(topic, cursor, deliver)
      wire?.send({ type: 'subscribe', subscription: number, topic, ...(cursor === undefined ? {} : { cursor }) })
      return () => {
        subscriptions.remove(number)
        wire?.send({ type: 'unsubscribe', subscription: number })
      }
    },
    close() {
      over.abort()
      wake()
      settled.resolve()
    },
  }
}

const remedyOf = (error: unknown): string | null =>
  error instanceof CliError ? (error.remedy ?? null) : error instanceof ApiError ? (error.extras.remedy ?? null) : null
