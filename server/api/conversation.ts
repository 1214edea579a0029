import type { WebSocket } from 'ws'
import type { LocalToken } from '#server/access/index.ts'
import type { Clock } from '#server/lib/clock.ts'
import type { Log } from '#server/telemetry/index.ts'
import { ApiError, ClientMessage, HEARTBEAT_MS, type Topic } from '#shared/contract/index.ts'
import type { JobId } from '#shared/model/index.ts'
import type { Connection } from './connection.ts'
import { pumpEvents, pumpLog, pumpModelQuestions, pumpOffers, pumpPeers, type Subscription, type TopicSources } from './topics.ts'

/** Longest wait for the token of a client that could not put it into a header, ms. */
const AUTH_MS = 5_000
const MAX_SUBSCRIPTIONS = 256
/** Messages a client may get wrong before it is sent away. */
const MAX_MISTAKES = 10
/** Close code of RFC 6455. */
const POLICY_VIOLATION = 1008

export interface ConversationDeps extends TopicSources {
  readonly node: string
  readonly token: LocalToken
  jobExists(id: JobId): Promise<boolean>
  /** Sequence number of the newest event of the node. */
  lastSeq(): Promise<number>
  readonly clock: Clock
  readonly log: Log
}

/** Talks to one client until it goes. @param token what the handshake showed, if anything */
export function converse(socket: WebSocket, connection: Connection, token: string | null, deps: ConversationDeps): void {
  const subscriptions = new Map<number, AbortController>()
  let isKnown = false
  let mistakes = 0
  let cancelAuth = () => {}

  const admit = (candidate: string) => {
    cancelAuth()
    if (!deps.token.matches(candidate)) return connection.close(POLICY_VIOLATION, 'The token is not valid')
    isKnown = true
    connection.send({ type: 'hello', cursor: null, payload: { node: deps.node, heartbeatMs: HEARTBEAT_MS } })
  }
  const complain = (error: ApiError, subscription: number | null) =>
    connection.send({ type: 'error', cursor: null, payload: { subscription, problem: error.toProblem() } })

  const subscribe = (id: number, topic: Topic, cursor: number | undefined) => {
    if (subscriptions.has(id)) return complain(new ApiError('invalid_request', `Subscription ${id} is in use.`), id)
    if (subscriptions.size >= MAX_SUBSCRIPTIONS)
      return complain(new ApiError('too_many_requests', `A client may have ${MAX_SUBSCRIPTIONS} subscriptions.`), id)
    const controller = new AbortController()
    const { signal } = controller
    subscriptions.set(id, controller)
    pump(topic, cursor, { id, connection, signal }, deps)
      .catch(error => {
        if (!(error instanceof ApiError)) deps.log.error({ err: error }, 'A subscription failed')
        if (signal.aborted) return
        complain(
          error instanceof ApiError ? error : new ApiError('internal', 'The subscription failed on this node; subscribe again.'),
          id,
        )
      })
      .finally(() => {
        if (subscriptions.get(id) === controller) subscriptions.delete(id)
      })
  }

  const handle = (message: ClientMessage) => {
    switch (message.type) {
      case 'auth':
        return admit(message.token)
      case 'subscribe':
        return subscribe(message.subscription, message.topic, message.cursor)
      case 'unsubscribe':
        subscriptions.get(message.subscription)?.abort()
        subscriptions.delete(message.subscription)
        return
      case 'ping':
        return connection.send({ type: 'heartbeat', cursor: null, payload: {} })
    }
  }

  socket.on('message', (data, isBinary) => {
    const message = isBinary ? null : ClientMessage.safeParse(parseJson(String(data)))
    if (!isKnown && message?.data?.type !== 'auth') return connection.close(POLICY_VIOLATION, 'Show a token first')
    if (message?.success) handle(message.data)
    else if (++mistakes >= MAX_MISTAKES) connection.close(POLICY_VIOLATION, 'Too many messages were not understood')
    else complain(new ApiError('invalid_request', 'The message is not one this stream understands.'), null)
    // Who does not read the answers is not asked for more questions: each costs memory.
    if (!connection.isBehind || socket.isPaused) return
    socket.pause()
    void connection.inTurn(() => socket.resume())
  })
  socket.once('close', () => {
    cancelAuth()
    for (const controller of subscriptions.values()) controller.abort()
  })
  // Broken frames close the connection by themselves; there is nobody to tell.
  socket.on('error', error => deps.log.debug({ err: error }, 'A stream client broke off'))
  if (token !== null) admit(token)
  else cancelAuth = deps.clock.after(AUTH_MS, () => connection.close(POLICY_VIOLATION, 'No token was shown'))
}

async function pump(topic: Topic, cursor: number | undefined, subscription: Subscription, deps: ConversationDeps): Promise<void> {
  const { id, connection, signal } = subscription
  if ('jobId' in topic && !(await deps.jobExists(topic.jobId)))
    throw new ApiError('not_found', `There is no job ${topic.jobId} on this node.`)
  const from = cursor ?? (topic.name === 'jobs' ? await deps.lastSeq() : 0)
  if (topic.name === 'log' && from > (await deps.logs.size(topic.jobId)))
    throw new ApiError('offset_out_of_range', `Offset ${from} is past the end of the log.`)
  if (signal.aborted) return
  connection.send({ type: 'subscribed', cursor: from, payload: { subscription: id } })
  switch (topic.name) {
    case 'peers':
      return pumpPeers(deps.peers.follow(cursor ?? null, signal), subscription)
    case 'specs':
      return pumpOffers(deps.offers.follow(topic.repository, from, signal), subscription)
    case 'models':
      return pumpModelQuestions(deps.modelOffers.follow(topic.models, signal), subscription)
    case 'jobs':
      return pumpEvents(deps.events.followAll(from, signal), event => event.seq, subscription)
    case 'job':
      return pumpEvents(deps.events.follow(topic.jobId, from, signal), event => event.n, subscription)
    case 'log':
      return pumpLog(topic.jobId, from, subscription, deps)
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
