import type {
  Arguments,
  CallResult,
  DoctorAnswer,
  OperationName,
  Operations,
  ServerState,
  SpecsChangedParams,
  StreamItem,
  Topic,
} from '#shared/contract/index.ts'
import { LSP_NOTIFICATIONS, LSP_REQUESTS } from '#shared/contract/lsp.ts'
import { createSignal, type Disposable, type Listen } from '../state/signal.ts'
import { BackendError, failureOf, notReady, refused } from './failure.ts'
import { READING } from './reading.ts'

/** The part of a JSON-RPC connection that is used; the language client fits. */
export interface Wire {
  request(method: string, params: unknown, signal?: AbortSignal): Promise<unknown>
  onNotification(method: string, handler: (params: unknown) => void): Disposable
}

export interface CallOptions {
  readonly signal?: AbortSignal
  /** Takes the body of a raw answer as it comes. */
  readonly onPiece?: (base64: string) => void
}
export interface Followed {
  readonly cursor: number | null
  readonly item: StreamItem
}

/** The orchestrator, as the extension calls it. */
export interface Backend {
  /** @throws {BackendError} */
  call<Name extends OperationName>(
    operation: Name,
    input?: Arguments<Operations[Name]>,
    options?: CallOptions,
  ): Promise<CallResult<Operations[Name]>>
  /** Follows a topic, over restarts of everything in between. @param cursor the last that was already seen */
  follow(topic: Topic, cursor: number | undefined, listener: (followed: Followed) => void): Disposable
  readonly state: ServerState
  readonly onState: Listen<ServerState>
  readonly onSpecsChanged: Listen<SpecsChangedParams>
  /** Looks for the orchestrator at once. */
  reconnect(): Promise<void>
  /** Told when {@link reconnect} is asked for, by whoever keeps the process between. */
  readonly onRetry: Listen<void>
  doctor(signal?: AbortSignal): Promise<DoctorAnswer>
  /** Takes a connection, the first or a new one: subscriptions go on from their cursors. */
  attach(wire: Wire): Promise<void>
  /** The connection broke: calls fail while it is `lost`, and wait while it is `starting`. */
  detach(state: Exclude<ServerState, { state: 'ready' }>): void
}

interface Subscription {
  readonly topic: Topic
  cursor: number | undefined
  readonly listener: (followed: Followed) => void
}

/** @param whyReadOnly why nothing may be changed now; null when all may be asked. Whoever calls, it is held here. */
export function createBackend(whyReadOnly: () => string | null = () => null): Backend {
  const states = createSignal<ServerState>()
  const specs = createSignal<SpecsChangedParams>()
  const subscriptions = new Map<number, Subscription>()
  const retries = createSignal<void>()
  const pieces = new Map<number, (base64: string) => void>()
  let state: ServerState = { state: 'starting', reason: null }
  let numbers = 0
  let wire = newWire()
  let isAttached = false
  let attached: Disposable[] = []

  function become(next: ServerState): void {
    state = next
    states.emit(next)
  }
  /** @throws {BackendError} */
  async function request(method: string, params: unknown, signal?: AbortSignal): Promise<unknown> {
    if (!isAttached && state.state === 'lost') throw notReady(state)
    const connection = await wire.promise
    signal?.throwIfAborted()
    try {
      return await connection.request(method, params, signal)
    } catch (cause) {
      throw failureOf(cause) ?? new DOMException('The call was cancelled', 'AbortError')
    }
  }
  /** Without a connection nothing is asked: the next one brings all that is open. */
  async function subscribe(subscription: number, { topic, cursor }: Subscription): Promise<void> {
    try {
      await request(LSP_REQUESTS.subscribe, { subscription, topic, ...(cursor === undefined ? {} : { cursor }) })
    } catch (cause) {
      if (cause instanceof BackendError && cause.isAnswer)
        receive({ subscription, cursor: null, item: { type: 'error', problem: cause.problem } })
    }
  }
  function receive({ subscription, cursor, item }: { subscription: number } & Followed): void {
    const followed = subscriptions.get(subscription)
    if (!followed) return
    if (cursor !== null) followed.cursor = cursor
    if (item.type === 'end' || item.type === 'error') subscriptions.delete(subscription)
    followed.listener({ cursor, item })
  }

  return {
    async call(operation, input, { signal, onPiece } = {}) {
      const reason = READING.has(operation) ? null : whyReadOnly()
      if (reason !== null) throw refused(reason)
      const number = onPiece ? ++numbers : undefined
      if (number !== undefined && onPiece) pieces.set(number, onPiece)
      try {
        const params = {
          operation,
          ...(input === undefined ? {} : { input }),
          ...(number === undefined ? {} : { pieces: number }),
        }
        return (await request(LSP_REQUESTS.call, params, signal)) as CallResult<Operations[typeof operation]>
      } finally {
        if (number !== undefined) pieces.delete(number)
      }
    },
    follow(topic, cursor, listener) {
      const number = ++numbers
      const subscription: Subscription = { topic, cursor, listener }
      subscriptions.set(number, subscription)
      if (isAttached) void subscribe(number, subscription)
      return {
        dispose() {
          if (!subscriptions.delete(number)) return
          request(LSP_REQUESTS.unsubscribe, { subscription: number }).catch(() => {})
        },
      }
    },
    get state() {
      return state
    },
    onState: states.listen,
    onSpecsChanged: specs.listen,
    async reconnect() {
      if (isAttached) await request(LSP_REQUESTS.reconnect, null)
      else retries.emit()
    },
    onRetry: retries.listen,
    async doctor(signal) {
      return (await request(LSP_REQUESTS.doctor, null, signal)) as DoctorAnswer
    },
    async attach(connection) {
      for (const listener of attached) listener.dispose()
      attached = [
        connection.onNotification(LSP_NOTIFICATIONS.serverState, params => become(params as ServerState)),
        connection.onNotification(LSP_NOTIFICATIONS.stream, params => receive(params as { subscription: number } & Followed)),
        connection.onNotification(LSP_NOTIFICATIONS.piece, params => {
          const piece = params as { pieces: number; base64: string }
          pieces.get(piece.pieces)?.(piece.base64)
        }),
        connection.onNotification(LSP_NOTIFICATIONS.specsChanged, params => specs.emit(params as SpecsChangedParams)),
      ]
      const open = [...subscriptions]
      isAttached = true
      wire.resolve(connection)
      // What is followed comes first: who hears that the server is ready may read, and misses nothing.
      await Promise.all(open.map(([number, subscription]) => subscribe(number, subscription)))
      become((await request(LSP_REQUESTS.serverState, null)) as ServerState)
    },
    detach(next) {
      for (const listener of attached.splice(0)) listener.dispose()
      if (next.state === 'lost') wire.reject(notReady(next))
      // What waits for the first connection waits for the next one too.
      if (isAttached || next.state === 'lost') wire = newWire()
      isAttached = false
      become(next)
    },
  }
}

function newWire(): PromiseWithResolvers<Wire> {
  const wire = Promise.withResolvers<Wire>()
  // It may break before anybody waits for it.
  wire.promise.catch(() => {})
  return wire
}
