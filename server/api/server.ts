import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import type { Clock } from '#server/lib/clock.ts'
import type { Log } from '#server/telemetry/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import type { Config } from '#shared/model/index.ts'
import { problem } from './exchange.ts'

/** Longest wait for the head of a request, for the whole of it, and between two on one connection; ms. */
const HEADERS_TIMEOUT_MS = 15_000
const REQUEST_TIMEOUT_MS = 60_000
const KEEP_ALIVE_MS = 65_000
const MAX_HEADER_BYTES = 16 * 1024

export interface Api {
  /** The HTTP server itself, for wires that begin as an upgrade. */
  readonly server: Server
  /** Resolves once connections are accepted. @throws {Error} that says what to do when the address cannot be had. */
  listen(): Promise<{ url: string; port: number; server: Server }>
  /**
   * Accepts no connection and no new request (503) from now on, ends streams that would go on for ever, lets the other requests
   * finish, and breaks off what is left after `graceMs`.
   */
  close(graceMs: number): Promise<void>
}

interface ServeDeps {
  readonly fetch: (request: Request, env: HttpBindings) => Response | Promise<Response>
  /** Aborted by `close`. */
  readonly stopping: AbortController
  readonly config: Pick<Config['api'], 'host' | 'port'>
  readonly clock: Pick<Clock, 'after'>
  readonly log: Log
}

/** An HTTP server whose life can be ended in bounded time. */
export function serve({ fetch, stopping, config, clock, log }: ServeDeps): Api {
  const answer = getRequestListener((request, env) => fetch(request, env as HttpBindings), {
    // Only requests whose target or Host makes no URL come here, so nothing of ours can be meant.
    errorHandler: () => problem(new ApiError('not_found', 'The request names no path of this API.'), `urn:uuid:${randomUUID()}`),
  })
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      requireHostHeader: true,
    },
    (incoming, outgoing) => {
      outgoing.once('close', () => {
        // A connection kept alive past the last answer would hold up `close`.
        if (stopping.signal.aborted) setImmediate(() => server.closeIdleConnections())
      })
      void answer(incoming, outgoing)
    },
  )
  // Upgraded connections too, which the HTTP server itself forgets about.
  const sockets = new Set<Socket>()
  server.on('connection', socket => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })

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
    async close(graceMs) {
      stopping.abort()
      if (!server.listening) return
      const closed = new Promise<void>(resolve => server.close(() => resolve()))
      const cancel = clock.after(graceMs, () => {
        for (const socket of sockets) socket.destroy()
      })
      await closed
      cancel()
    },
  }
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
