import { performServerHandshake, type ServerHttp2Session } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { HomeAddress } from '../protocol.ts'

const FIRST_WAIT_MS = 50
const LONGEST_WAIT_MS = 5000
const PING_MS = 20_000
const DIAL_MS = 10_000

/**
 * Keeps a connection with home: dials, serves it until it breaks, dials again, each time after a longer wait.
 * @returns once there was no home for `awayMs`.
 */
export async function stayInTouch(
  homes: readonly HomeAddress[],
  awayMs: number,
  serve: (session: ServerHttp2Session) => void,
): Promise<void> {
  let wait = FIRST_WAIT_MS
  let since = performance.now()
  for (let turn = 0; performance.now() - since < awayMs; turn++) {
    const home = homes[turn % homes.length]
    if (!home) return
    const socket = await dial(home).catch(() => null)
    if (socket && (await served(socket, serve))) {
      wait = FIRST_WAIT_MS
      since = performance.now()
    }
    const pause = wait * (0.5 + Math.random() / 2)
    await new Promise(resolve => setTimeout(resolve, pause))
    wait = Math.min(wait * 2, LONGEST_WAIT_MS)
  }
}

function dial(home: HomeAddress): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket =
      'socket' in home ? connect(home.socket) : connectTls({ ...home, ALPNProtocols: ['h2'], rejectUnauthorized: false })
    const failed = (error: Error) => {
      clearTimeout(timer)
      socket.destroy()
      reject(error)
    }
    const timer = setTimeout(() => failed(new Error('No answer')), DIAL_MS)
    socket.once('error', failed)
    socket.once('close', () => failed(new Error('Closed')))
    socket.once('socket' in home ? 'connect' : 'secureConnect', () => {
      clearTimeout(timer)
      // Whoever has another certificate is not our home, whoever signed it.
      if (
        'getPeerX509Certificate' in socket &&
        'fingerprint' in home &&
        socket.getPeerX509Certificate()?.fingerprint256 !== home.fingerprint
      ) {
        return failed(new Error('Another certificate'))
      }
      resolve(socket)
    })
  })
}

/** @returns whether anything was asked before the connection broke: a listener that only hangs up is no home. */
function served(socket: Socket, serve: (session: ServerHttp2Session) => void): Promise<boolean> {
  return new Promise(resolve => {
    const session = performServerHandshake(socket, { settings: { initialWindowSize: 2 ** 20, maxConcurrentStreams: 4096 } })
    let asked = false
    let answered = true
    session.once('stream', () => (asked = true))
    const timer = setInterval(() => {
      if (!answered) return session.destroy()
      answered = false
      session.ping(() => (answered = true))
    }, PING_MS)
    session.on('error', () => {})
    session.once('close', () => {
      clearInterval(timer)
      socket.destroy()
      resolve(asked)
    })
    serve(session)
  })
}
