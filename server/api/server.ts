import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Clock } from '#server/lib/clock.ts'
import type { Log } from '#server/telemetry/index.ts'
import type { Config } from '#shared/model/index.ts'

/** Longest wait for the head of a request, for the whole of it, and between two on one connection; ms. */
const HEADERS_TIMEOUT_MS = 15_000
const REQUEST_TIMEOUT_MS = 60_000
const KEEP_ALIVE_MS = 65_000
/** How long a connection that has not asked anything yet may hold up the end, ms. */
const SILENT_MS = 250
const MAX_HEADER_BYTES = 16 * 1024

export interface Api {
  /** The HTTP server itself, for wires that begin as an upgrade. */
  readonly server: Server
  /** Resolves once connections are accepted. @throws {Error} that says what to do when the address cannot be had. */
  listen(): Promise<{ url: string; port: number; server: Server }>
  /**
   * Answers at another port of the same address too, as a second name for the same server.
   * @returns its URL. @throws {Error} that says what to do when the port cannot be had.
   */
  listenAlso(port: number): Promise<string>
  /** Loads what answers requests, which the first of them would wait for otherwise. */
  warm(): Promise<void>
  /**
   * Listens for other nodes only, on these addresses and the port of the API, and on no others of those given before.
   * @throws {Error} when one of them cannot be had; the others are.
   */
  listenForNodes(addresses: readonly string[]): Promise<void>
  /**
   * Accepts no connection and no new request (503) from now on, ends streams that would go on for ever, lets the other requests
   * finish, and breaks off what is left after `graceMs`.
   */
  close(graceMs: number): Promise<void>
}

type Answer = (incoming: IncomingMessage, outgoing: ServerResponse) => unknown

/** What answers requests. */
export interface Application {
  readonly answer: Answer
  /** The same where only other nodes are let in. */
  readonly answerNode: Answer
}

interface ServeDeps {
  readonly load: () => Promise<Application>
  /** Aborted by `close`. */
  readonly stopping: AbortController
  readonly config: Pick<Config['api'], 'host' | 'port'>
  readonly clock: Pick<Clock, 'after'>
  readonly log: Log
}

const SETTINGS = {
  headersTimeout: HEADERS_TIMEOUT_MS,
  requestTimeout: REQUEST_TIMEOUT_MS,
  keepAliveTimeout: KEEP_ALIVE_MS,
  maxHeaderSize: MAX_HEADER_BYTES,
  requireHostHeader: true,
}
/** What a listener on every address says it listens on. */
const WILDCARDS = new Set(['0.0.0.0', '::'])

/** An HTTP server whose life can be ended in bounded time. */
export function serve({ load, stopping, config, clock, log }: ServeDeps): Api {
  let application: Application | undefined
  let loading: Promise<Application> | undefined
  async function loaded(): Promise<Application> {
    loading ??= load()
    application = await loading
    return application
  }
  const by =
    (which: keyof Application): Answer =>
    (incoming, outgoing) => {
      if (application) return application[which](incoming, outgoing)
      return loaded().then(
        one => one[which](incoming, outgoing),
        error => {
          log.error({ err: error }, 'The program of this server cannot be loaded any more; start it again')
          outgoing.writeHead(500, { connection: 'close' }).end()
        },
      )
    }
  const [answer, answerNode] = [by('answer'), by('answerNode')]
  const server = createServer(SETTINGS, (incoming, outgoing) => {
    outgoing.once('close', () => {
      // A connection kept alive past the last answer would hold up `close`.
      if (stopping.signal.aborted) setImmediate(() => server.closeIdleConnections())
    })
    void answer(incoming, outgoing)
  })
  const others: Server[] = []
  /** By address. Nothing is upgraded there. */
  const forNodes = new Map<string, Server>()
  // Upgraded connections too, which the HTTP server itself forgets about.
  const sockets = new Set<Socket>()
  const track = (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  }
  server.on('connection', track)

  async function listenAlso(port: number): Promise<string> {
    const other = createServer(SETTINGS, (incoming, outgoing) => void server.emit('request', incoming, outgoing))
    other.on('connection', track)
    other.on('upgrade', (request, socket, head) => void server.emit('upgrade', request, socket, head))
    await listening(other, { host: config.host, port })
    others.push(other)
    return urlOf(config.host, (other.address() as AddressInfo).port)
  }

  async function listenForNodesOn(host: string): Promise<void> {
    const { address, port } = server.address() as AddressInfo
    if (WILDCARDS.has(address) || address === host || forNodes.has(host)) return
    const listener = createServer(SETTINGS, (incoming, outgoing) => void answerNode(incoming, outgoing))
    listener.on('connection', track)
    forNodes.set(host, listener)
    await listening(listener, { host, port }).catch(error => {
      forNodes.delete(host)
      throw error
    })
  }

  return {
    server,
    listen: () =>
      new Promise((resolve, reject) => {
        server.on('error', (cause: NodeJS.ErrnoException) => {
          if (server.listening) log.error({ err: cause }, 'the API could not accept a connection')
          else reject(listenError(cause, config))
        })
        server.listen(config.port, config.host, () => {
          const { port } = server.address() as AddressInfo
          resolve({ url: urlOf(config.host, port), port, server })
        })
      }),
    listenAlso,
    warm: async () => void (await loaded()),
    async listenForNodes(addresses) {
      for (const [host, listener] of forNodes)
        if (!addresses.includes(host)) {
          forNodes.delete(host)
          listener.close()
        }
      if (stopping.signal.aborted) return
      const tried = await Promise.allSettled(addresses.map(listenForNodesOn))
      for (const one of tried) if (one.status === 'rejected') throw one.reason
    },
    async close(graceMs) {
      stopping.abort()
      if (!server.listening) return
      const all = [server, ...others, ...forNodes.values()]
      const closed = Promise.all(all.map(one => new Promise<void>(resolve => one.close(() => resolve()))))
      const destroy = (which: (socket: Socket) => boolean) => {
        for (const socket of sockets) if (which(socket)) socket.destroy()
      }
      // Opened ahead of a question that never comes; Node counts it among those that wait for an answer.
      const cancelSilent = clock.after(Math.min(graceMs, SILENT_MS), () => destroy(({ bytesRead }) => bytesRead === 0))
      const cancel = clock.after(graceMs, () => destroy(() => true))
      await closed
      cancelSilent()
      cancel()
    },
  }
}

/** @throws {Error} that says what to do when the address cannot be had */
function listening(server: Server, where: ServeDeps['config']): Promise<void> {
  return new Promise((resolve, reject) => {
    server.on('error', cause => reject(listenError(cause, where)))
    server.listen(where.port, where.host, resolve)
  })
}

/** Where a client on this machine finds the server. */
function urlOf(host: string, port: number): string {
  if (host === '' || host === '0.0.0.0') return `http://127.0.0.1:${port}`
  if (host === '::') return `http://[::1]:${port}`
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

function listenError(cause: NodeJS.ErrnoException, { host, port }: ServeDeps['config']): Error {
  const why =
    {
      EADDRINUSE: 'another program listens there. Choose another port (API_PORT; 0 takes any free one).',
      EADDRNOTAVAIL: 'this machine has no such address. Choose one it has (api.host).',
      EACCES: 'this user may not listen there. Choose a port above 1023 (API_PORT).',
    }[cause.code ?? ''] ?? cause.message
  return new Error(`Failed to listen on ${host}:${port}: ${why}`, { cause })
}
