import { type ClientRequest, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { ApiError } from '#shared/contract/index.ts'
import { createAdmission, pinned, type Route } from './admission.ts'
import { show } from './allow-list.ts'
import { fail, toApiError } from './failure.ts'
import { endToEnd } from './headers.ts'
import type { GatewayDeps, GatewaySpec } from './port.ts'

const CONNECT_TIMEOUT_MS = 15_000
/** Connections to the outside one sandbox may have at once. */
const MAX_OUTSIDE = 256

/** The proxy for hosts outside. */
export interface Egress {
  /** CONNECT: bytes both ways. */
  tunnel(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void>
  /** A plain http request in absolute form. @throws {ApiError} */
  forward(request: IncomingMessage, response: ServerResponse): Promise<void>
}

export function createEgress(spec: GatewaySpec, { lookup, log }: GatewayDeps): Egress {
  const { admit } = createAdmission(spec, lookup)
  let open = 0

  /** Looking up takes time, and the asker may have gone meanwhile; a gateway that closes leaves no asker. @throws {ApiError} */
  function isWanted(asker: Socket): boolean {
    if (open >= MAX_OUTSIDE)
      throw new ApiError('too_many_requests', `A sandbox may have ${MAX_OUTSIDE} connections at once.`, { retryAfterMs: 1000 })
    return !asker.destroyed
  }

  /** Counts a connection from when it is asked for: many requests may be let through before the first has a socket. */
  function count(connection: Socket | ClientRequest): void {
    open += 1
    connection.once('close', () => {
      open -= 1
    })
  }

  /** Gives a connection up when it does not come about. */
  function watch(socket: Socket): void {
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy(new Error('it did not answer in time')))
    socket.once('connect', () => socket.setTimeout(0))
  }

  const unreachable = (route: Route, cause: Error) =>
    new ApiError('provider_failed', `${show(route)} could not be reached: ${cause.message || 'no address answered'}`, { cause })

  return {
    async tunnel(request, socket, head) {
      // Until the tunnel stands, what is sent ahead waits in `head` and the socket.
      socket.on('error', () => socket.destroy())
      try {
        const route = await admit(request.url ?? '', 443)
        if (!isWanted(socket)) return
        const { host, port } = route
        const outside = connect({ host, port, lookup: pinned(route) })
        count(outside)
        watch(outside)
        socket.once('close', () => outside.destroy())
        let connected = false
        outside.once('error', cause => (connected ? socket.destroy() : refuseTunnel(socket, unreachable(route, cause))))
        outside.once('connect', () => {
          connected = true
          socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
          if (head.byteLength > 0) outside.write(head)
          outside.pipe(socket).pipe(outside)
        })
      } catch (error) {
        refuseTunnel(socket, toApiError(error, log))
      }
    },

    async forward(request, response) {
      const url = URL.canParse(request.url ?? '') ? new URL(request.url ?? '') : null
      if (url?.protocol !== 'http:')
        throw new ApiError('invalid_request', 'A proxy request names an http:// address, or uses CONNECT.')
      const route = await admit(url.host, 80)
      if (!isWanted(request.socket)) return
      const { host, port } = route
      const outside = httpRequest(
        {
          host,
          port,
          lookup: pinned(route),
          // A connection of its own: a pool would outlive the job and share connections between jobs.
          agent: false,
          method: request.method,
          path: url.pathname + url.search,
          headers: {
            ...endToEnd(request.headers),
            host: url.host,
            ...(request.headers['transfer-encoding'] === undefined ? {} : { 'transfer-encoding': 'chunked' }),
          },
        },
        answer => {
          response.writeHead(answer.statusCode ?? 502, endToEnd(answer.headers))
          // An answer that breaks off breaks off for the asker too.
          pipeline(answer, response).catch(() => response.destroy())
        },
      )
      count(outside)
      outside.once('socket', watch)
      outside.once('error', cause => fail(response, unreachable(route, cause), log))
      response.once('close', () => outside.destroy())
      request.pipe(outside)
    },
  }
}

function refuseTunnel(socket: Socket, error: ApiError): void {
  const problem = error.toProblem()
  const body = JSON.stringify(problem)
  const head = [
    `HTTP/1.1 ${problem.status} Refused`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}
