import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, isIP, type Socket } from 'node:net'
import { ApiError } from '#shared/contract/index.ts'
import { allows, type Destination, isForbiddenAddress, parseDestination } from './allow-list.ts'
import { fail } from './failure.ts'
import type { GatewayDeps, GatewaySpec, Lookup } from './port.ts'

const CONNECT_TIMEOUT_MS = 15_000
/** Headers that concern one hop only; RFC 9110, 7.6.1. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const resolveName: Lookup = name =>
  new Promise((resolve, reject) => {
    systemLookup(name, { all: true }, (error, addresses: LookupAddress[]) =>
      error ? reject(error) : resolve(addresses.map(({ address }) => address)),
    )
  })

/** The proxy for hosts outside: what is not on the allow-list is not even looked up. */
export function createEgress(spec: GatewaySpec, { lookup = resolveName, log }: GatewayDeps) {
  const open = new Set<{ destroy(): void }>()
  const told = new Set<string>()
  const keep = <T extends Socket>(socket: T): T => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    return socket
  }

  function refuse(host: string, reason: string): ApiError {
    if (!told.has(host) && told.size < 1000) {
      told.add(host)
      spec.refused(host, reason)
    }
    return new ApiError('forbidden', `The sandbox may not reach ${host}: ${reason}`, {
      remedy: `Submit the job with \`--allow ${host}\` if it should.`,
    })
  }

  /** The address to connect to, looked up once and then used as it is, so that a second answer cannot differ. @throws {ApiError} */
  async function admit(target: string, defaultPort: number): Promise<Destination> {
    const destination = parseDestination(target, defaultPort)
    if (!destination) throw refuse(target.slice(0, 200), 'it is not a host and port.')
    const verdict = allows(spec.allow, destination)
    if (verdict === null) throw refuse(`${destination.host}:${destination.port}`, 'it is not on the allow-list of the job.')
    if (verdict === 'address') return destination
    const addresses = await lookup(destination.host).catch(cause => {
      throw new ApiError('provider_failed', `The name ${destination.host} could not be resolved.`, { cause })
    })
    const address = addresses.find(candidate => !isForbiddenAddress(candidate))
    if (address === undefined || isIP(address) === 0) throw refuse(destination.host, 'its name leads to a private address.')
    return { host: address, port: destination.port }
  }

  return {
    /** CONNECT: bytes both ways. */
    async tunnel(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
      socket.on('error', () => socket.destroy())
      try {
        const { host, port } = await admit(request.url ?? '', 443)
        const outside = keep(connect({ host, port, timeout: CONNECT_TIMEOUT_MS }))
        outside.once('timeout', () => outside.destroy(new Error('timeout')))
        outside.once('error', () => socket.destroy())
        outside.once('connect', () => {
          outside.setTimeout(0)
          socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
          if (head.byteLength > 0) outside.write(head)
          outside.pipe(socket).pipe(outside)
        })
        socket.once('close', () => outside.destroy())
      } catch (error) {
        const problem = error instanceof ApiError ? error.toProblem() : null
        if (!problem) log.error({ err: error }, 'A tunnel through a gateway failed')
        const body = JSON.stringify(problem ?? {})
        socket.end(
          `HTTP/1.1 ${problem?.status ?? 502} Refused\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
        )
      }
    },

    /** A plain http request in absolute form. */
    async forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
      const url = URL.canParse(request.url ?? '') ? new URL(request.url ?? '') : null
      if (url?.protocol !== 'http:')
        throw new ApiError('invalid_request', 'A proxy request names an http:// address, or uses CONNECT.')
      const { host, port } = await admit(url.host, 80)
      const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !HOP_BY_HOP.has(name)))
      const outside = httpRequest(
        {
          host,
          port,
          method: request.method,
          path: url.pathname + url.search,
          headers: { ...headers, host: url.host },
          timeout: CONNECT_TIMEOUT_MS,
        },
        answer => {
          const kept = Object.fromEntries(Object.entries(answer.headers).filter(([name]) => !HOP_BY_HOP.has(name)))
          response.writeHead(answer.statusCode ?? 502, kept)
          answer.pipe(response)
        },
      )
      outside.once('socket', keep)
      outside.once('timeout', () => outside.destroy(new Error('The host did not answer in time')))
      outside.once('error', cause =>
        fail(response, new ApiError('provider_failed', `${url.host} could not be reached: ${cause.message}`, { cause }), log),
      )
      response.once('close', () => outside.destroy())
      request.pipe(outside)
    },

    close() {
      for (const socket of open) socket.destroy()
    },
  }
}
