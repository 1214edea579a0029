import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { LocalToken } from '#server/access/index.ts'
import type { Clock } from '#server/lib/clock.ts'
import type { Log } from '#server/telemetry/index.ts'
import { ApiError, ClientMessage, HEARTBEAT_MS, STREAM_PATH, type Topic } from '#shared/contract/index.ts'
import type { Config, JobId } from '#shared/model/index.ts'
import { type Connection, createConnection } from './connection.ts'
import { originRules } from './origin.ts'
import { pumpEvents, pumpLog, type TopicSources } from './topics.ts'

/** Longest wait for the token of a client that could not put it into a header, ms. */
const AUTH_MS = 5_000
const MAX_MESSAGE_BYTES = 64 * 1024
const MAX_SUBSCRIPTIONS = 256
/** Messages a client may get wrong before it is sent away. */
const MAX_MISTAKES = 10
/** Close codes of RFC 6455. */
const GOING_AWAY = 1001
const POLICY_VIOLATION = 1008
const TOKEN_PROTOCOL = 'skein.token.'

export interface StreamDeps extends TopicSources {
  readonly node: string
  readonly token: LocalToken
  readonly config: Pick<Config['api'], 'host' | 'allowedHosts' | 'corsAllowedOrigins'>
  jobExists(id: JobId): Promise<boolean>
  /** Sequence number of the newest event of the node. */
  lastSeq(): Promise<number>
  readonly clock: Clock
  readonly log: Log
}

/** Serves `WS /v1/stream` beside the REST API. With nobody connected it costs nothing: no timer runs. */
export function attachStream({ server }: { server: Server }, deps: StreamDeps): { close(): void } {
  const rules = originRules(deps.config)
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
    handleProtocols: protocols => (protocols.has('skein') ? 'skein' : false),
  })
  const alive = new WeakSet<WebSocket>()
  let cancelBeat: (() => void) | null = null

  const beat = () => {
    cancelBeat = sockets.clients.size === 0 ? null : deps.clock.after(HEARTBEAT_MS, beat)
    for (const socket of sockets.clients) {
      if (!alive.delete(socket)) {
        socket.terminate()
        continue
      }
      socket.ping()
    }
    for (const heartbeat of heartbeats) heartbeat()
  }
  const heartbeats = new Set<() => void>()

  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const { pathname } = new URL(request.url ?? '/', 'http://node')
    if (pathname !== STREAM_PATH) return refuse(socket, '404 Not Found')
    const { host, origin } = request.headers
    if (!rules.host(host) || (origin !== undefined && !rules.origin(origin, host))) return refuse(socket, '403 Forbidden')
    sockets.handleUpgrade(request, socket, head, client => {
      alive.add(client)
      client.on('pong', () => alive.add(client))
      cancelBeat ??= deps.clock.after(HEARTBEAT_MS, beat)
      const connection = createConnection(client, deps.clock.now)
      const heartbeat = () => connection.send({ type: 'heartbeat', cursor: null, payload: {} })
      heartbeats.add(heartbeat)
      client.once('close', () => {
        heartbeats.delete(heartbeat)
        if (sockets.clients.size > 0) return
        cancelBeat?.()
        cancelBeat = null
      })
      converse(client, connection, tokenOf(request), deps)
    })
  }
  server.on('upgrade', upgrade)

  return {
    close() {
      server.off('upgrade', upgrade)
      cancelBeat?.()
      for (const socket of sockets.clients) socket.close(GOING_AWAY, 'The node is stopping')
      sockets.close()
    },
  }
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

/** The token of a handshake: a header where the client can set one, a subprotocol where it is a browser. */
function tokenOf({ headers }: IncomingMessage): string | null {
  const bearer = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1]
  const protocol = (headers['sec-websocket-protocol'] ?? '').split(',').map(name => name.trim())
  return bearer ?? protocol.find(name => name.startsWith(TOKEN_PROTOCOL))?.slice(TOKEN_PROTOCOL.length) ?? null
}

/** Talks to one client until it goes. */
function converse(socket: WebSocket, connection: Connection, token: string | null, deps: StreamDeps): void {
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
    subscriptions.set(id, controller)
    pump(id, topic, cursor, connection, controller.signal, deps)
      .catch(error => {
        if (!(error instanceof ApiError)) deps.log.error({ err: error }, 'A subscription failed')
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
    if (message?.success) return handle(message.data)
    mistakes += 1
    if (mistakes >= MAX_MISTAKES) return connection.close(POLICY_VIOLATION, 'Too many messages were not understood')
    complain(new ApiError('invalid_request', 'The message is not one this stream understands.'), null)
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

async function pump(
  id: number,
  topic: Topic,
  cursor: number | undefined,
  connection: Connection,
  signal: AbortSignal,
  deps: StreamDeps,
): Promise<void> {
  const subscription = { id, connection, signal }
  if (topic.name !== 'jobs' && !(await deps.jobExists(topic.jobId)))
    throw new ApiError('not_found', `There is no job ${topic.jobId} on this node.`)
  const from = cursor ?? (topic.name === 'jobs' ? await deps.lastSeq() : 0)
  if (topic.name === 'log' && from > (await deps.logs.size(topic.jobId)))
    throw new ApiError('offset_out_of_range', `Offset ${from} is past the end of the log.`)
  connection.send({ type: 'subscribed', cursor: from, payload: { subscription: id } })
  switch (topic.name) {
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
