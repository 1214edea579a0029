import { createHash, timingSafeEqual } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { ApiError } from '#shared/contract/index.ts'
import { parseDestination } from './allow-list.ts'
import { createBudget } from './budget.ts'
import { createEgress } from './egress.ts'
import { fail } from './failure.ts'
import type { Gateway, GatewayDeps, GatewaySpec } from './port.ts'

/** Connections one sandbox may have at once. */
const MAX_CONNECTIONS = 256

const digest = (text: string) => createHash('sha256').update(text).digest()

/** Opens gateways: one HTTP server on a unix socket for each sandbox. */
export function createGateway(deps: GatewayDeps): Gateway {
  return {
    async open(spec) {
      const expected = digest(`Bearer ${spec.token}`)
      const isKnown = (request: IncomingMessage) => timingSafeEqual(digest(request.headers.authorization ?? ''), expected)
      const egress = createEgress(spec, deps)
      const budget = createBudget()
      const sockets = new Set<Socket>()
      const server = createServer({ headersTimeout: 15_000, requestTimeout: 0 }, (request, response) => {
        void answer(request, response)
      })
      server.maxConnections = MAX_CONNECTIONS
      server.on('connection', socket => {
        sockets.add(socket)
        socket.once('close', () => sockets.delete(socket))
      })
      server.on('connect', (request: IncomingMessage, socket: Socket, head: Buffer) => {
        if (!isItself(request.url ?? '', spec)) return void egress.tunnel(request, socket, head)
        socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
        socket.unshift(head)
        server.emit('connection', socket)
      })

      async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
        try {
          // Absolute form (RFC 9112, 3.2.2) is what a client sends to a proxy.
          const target = request.url ?? ''
          const host = target.startsWith('/') ? null : hostOf(target)
          if (host !== null && !isItself(host, spec)) return await egress.forward(request, response)
          if (host !== null) request.url = pathOf(target)
          if (!isKnown(request)) throw new ApiError('unauthorized', 'The gateway of a job takes the token of that job only.')
          // With every operation's schemas, which a node does not need to start.
          const { answerModels } = await import('./model-api.ts')
          await answerModels(request, response, { spec, budget })
        } catch (error) {
          fail(response, error, deps.log)
        }
      }

      await rm(spec.socket, { force: true })
      await listen(server, spec.socket)
      return {
        async close() {
          const closed = new Promise<void>(resolve => server.close(() => resolve()))
          for (const socket of sockets) socket.destroy()
          await closed
          await rm(spec.socket, { force: true })
        },
      }
    },
  }
}

const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', 'localhost', '::1'])

/**
 * Whether a proxy is asked for itself: some agents ask their proxy for everything, the relay it stands behind included.
 * @param target host and port
 */
function isItself(target: string, { relayPort }: GatewaySpec): boolean {
  const destination = parseDestination(target, 80)
  return destination !== null && LOOPBACK.has(destination.host) && destination.port === relayPort
}

/** Host and port of an absolute address; the text itself when it is none, for the egress to refuse. */
const hostOf = (target: string): string => (URL.canParse(target) ? new URL(target).host : target)
function pathOf(target: string): string {
  const { pathname, search } = new URL(target)
  return pathname + search
}

function listen(server: ReturnType<typeof createServer>, socket: GatewaySpec['socket']): Promise<void> {
  return new Promise((resolve, reject) => {
    // Stays: a connection that cannot be accepted for want of descriptors must not end the server.
    server.on('error', reject)
    server.listen(socket, resolve)
  })
}
