import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { HEARTBEAT_MS, STREAM_PATH } from '#shared/contract/index.ts'
import type { Config } from '#shared/model/index.ts'
import { type Connection, createConnection } from './connection.ts'
import { type ConversationDeps, converse } from './conversation.ts'
import { originRules } from './origin.ts'

const MAX_MESSAGE_BYTES = 64 * 1024
/** Close code of RFC 6455. */
const GOING_AWAY = 1001
/** How long a client may take to hear that the node is stopping, ms. */
const GOODBYE_MS = 1_000
const TOKEN_PROTOCOL = 'skein.token.'

interface StreamDeps extends ConversationDeps {
  readonly config: Pick<Config['api'], 'host' | 'allowedHosts' | 'corsAllowedOrigins'>
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
  const connections = new Map<WebSocket, Connection>()
  /** Who has answered the last ping. */
  const answered = new WeakSet<WebSocket>()
  let cancelBeat: (() => void) | null = null

  const beat = () => {
    cancelBeat = deps.clock.after(HEARTBEAT_MS, beat)
    for (const [socket, connection] of connections) {
      const isSlow = connection.tookSomething()
      if (!answered.delete(socket) && !isSlow) {
        socket.terminate()
        continue
      }
      socket.ping()
      // Who is behind has something to read that shows as much.
      if (!connection.isBehind) connection.send({ type: 'heartbeat', cursor: null, payload: {} })
    }
  }

  const welcome = (socket: WebSocket, token: string | null) => {
    const connection = createConnection(socket, deps.clock.now)
    connections.set(socket, connection)
    answered.add(socket)
    cancelBeat ??= deps.clock.after(HEARTBEAT_MS, beat)
    socket.on('pong', () => answered.add(socket))
    socket.once('close', () => {
      connections.delete(socket)
      if (connections.size > 0) return
      cancelBeat?.()
      cancelBeat = null
    })
    converse(socket, connection, token, deps)
  }

  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // Node has let go of the socket: without a listener, a client that breaks off would end this process.
    socket.on('error', () => socket.destroy())
    if (request.url?.split('?')[0] !== STREAM_PATH) return refuse(socket, '404 Not Found')
    const { host, origin } = request.headers
    if (!rules.host(host) || (origin !== undefined && !rules.origin(origin, host))) return refuse(socket, '403 Forbidden')
    sockets.handleUpgrade(request, socket, head, client => welcome(client, tokenOf(request)))
  }
  server.on('upgrade', upgrade)

  return {
    close() {
      server.off('upgrade', upgrade)
      for (const socket of connections.keys()) {
        socket.close(GOING_AWAY, 'The node is stopping')
        const cancel = deps.clock.after(GOODBYE_MS, () => socket.terminate())
        socket.once('close', cancel)
      }
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
