import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import * as z from 'zod'
import type { Clock } from '#server/lib/clock.ts'
import { createLine, exchange, type Line, speak } from './line.ts'
import { paths } from './protocol.ts'
import { type RemoteSandbox, type RemoteSandboxOptions, remoteSandbox } from './remote-sandbox.ts'

/** A runner that is awaited, and the sandbox it will be. */
export interface Visitor {
  /** For its token. */
  readonly secret: string
  readonly sandbox: RemoteSandbox
  /** Fulfils when it has come. @throws {SandboxError} when its place is lost before */
  arrived(): Promise<void>
  /** Nobody waits for it any more. */
  dismiss(): void
}

/** Where runners knock. */
export interface Door {
  /** Awaits the runner of a sandbox. */
  expect(options: RemoteSandboxOptions & { lostAfterMs: number }): Visitor
  /** Listens at a unix socket. @returns stop */
  listenAt(socket: string): Promise<() => void>
  /** Listens by TLS, with a certificate made now. @returns what goes into tokens */
  listenTls(where: { host: string; port: number }): Promise<{ port: number; fingerprint: string; close(): void }>
}

const HELLO_MS = 10_000
/** Connections that have not said who they are. */
const MOST_STRANGERS = 256
const Hello = z.object({ id: z.string().max(200), secret: z.string().max(200) })

export function createDoor({ clock }: { clock: Clock }): Door {
  const expected = new Map<string, { secret: string; line: Line }>()
  const strangers = new Set<Socket>()

  /** Asks who it is. Whoever does not answer, or with the wrong secret, is shown out without a word. */
  const receive = async (socket: Socket) => {
    socket.on('error', () => {})
    if (strangers.size >= MOST_STRANGERS) return void socket.destroy()
    strangers.add(socket)
    const cancel = clock.after(HELLO_MS, () => socket.destroy())
    const session = speak(socket)
    session.once('close', () => socket.destroy())
    try {
      const { id, secret } = Hello.parse(await exchange(session, 'GET', paths.hello))
      const visitor = expected.get(id)
      if (!visitor || !same(visitor.secret, secret)) throw new Error('Not expected')
      visitor.line.attach(session)
    } catch {
      session.destroy()
      socket.destroy()
    } finally {
      cancel()
      strangers.delete(socket)
    }
  }

  return {
    expect({ lostAfterMs, ...options }) {
      const { id } = options.spec
      const secret = randomBytes(32).toString('base64url')
      const line = createLine({ id, clock, lostAfterMs })
      expected.set(id, { secret, line })
      const dismiss = () => {
        if (expected.get(id)?.line === line) expected.delete(id)
      }
      line.lost.addEventListener('abort', dismiss)
      return {
        secret,
        sandbox: remoteSandbox(line, options),
        arrived: async () => void (await line.session()),
        dismiss,
      }
    },
    async listenAt(socket) {
      const server = createServer(connection => void receive(connection))
      await listening(server, { path: socket })
      return () => void server.close()
    },
    async listenTls(where) {
      // Loaded when first needed: most nodes never open this door.
      const { makeCertificate } = await import('./certificate.ts')
      const { key, cert, fingerprint } = await makeCertificate()
      const server = createTlsServer({ key, cert, ALPNProtocols: ['h2'], minVersion: 'TLSv1.3', handshakeTimeout: HELLO_MS })
      server.on('secureConnection', connection => void receive(connection))
      server.on('tlsClientError', (_, connection) => connection.destroy())
      await listening(server, where)
      const address = server.address()
      return {
        port: typeof address === 'object' && address ? address.port : where.port,
        fingerprint,
        close: () => void server.close(),
      }
    },
  }
}

function listening(server: Server, where: { path: string } | { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(where, () => {
      server.off('error', reject)
      // A connection that cannot be accepted for want of descriptors must not end the server.
      server.on('error', () => {})
      resolve()
    })
  })
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
const same = (one: string, other: string): boolean => timingSafeEqual(digest(one), digest(other))
