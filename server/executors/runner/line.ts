import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { Clock } from '#server/lib/clock.ts'
import { gather } from '#server/lib/gather.ts'
import { SandboxError } from '../index.ts'
import { ERROR_HEADER } from './protocol.ts'

/** The way to one runner: there, broken for a while, or lost for good. */
export interface Line {
  /** Aborts with a SandboxError of code `lost`. */
  readonly lost: AbortSignal
  /** Fulfils with the connection there is, once there is one. @throws {SandboxError} when it is lost. */
  session(): Promise<ClientHttp2Session>
  /** This connection takes the place of the one before. */
  attach(session: ClientHttp2Session): void
  /** Called with each connection. */
  onSession(call: (session: ClientHttp2Session) => void): void
  lose(reason: string): void
  /** Asks until there is an answer, over as many connections as it takes. @throws {SandboxError} */
  ask(...question: Question): Promise<unknown>
  /** Asks for what takes no time: a runner that is there and does not answer is lost. @throws {SandboxError} */
  askPromptly(...question: Question): Promise<unknown>
  /** One try to open a stream. @throws {Error} when it breaks; the caller tries again */
  open(method: string, path: string, options?: { endStream: boolean }): Promise<ClientHttp2Stream>
  /** This connection made no sense; another may. After some of those the runner is given up. */
  distrust(session: ClientHttp2Session): void
}

type Question = readonly [method: string, path: string, body?: Buffer]

const ANSWER_BYTES = 64 * 1024
const PING_MS = 20_000
const WINDOW = 8 * 2 ** 20
const MOST_FAULTS = 20
/** For an answer that takes no time, on a connection that lives; longer than it takes to notice that one does not. */
const PROMPT_MS = 60_000
/** Connections that end before the answer came; each of them had time for it. */
const MOST_TRIES = 20

export function createLine({ id, clock, lostAfterMs }: { id: string; clock: Clock; lostAfterMs: number }): Line {
  const gone = new AbortController()
  const listeners: ((session: ClientHttp2Session) => void)[] = []
  let current: ClientHttp2Session | null = null
  let next = Promise.withResolvers<ClientHttp2Session>()
  next.promise.catch(() => {})
  let cancel = () => {}
  let faults = 0

  const lose = (reason: string) => {
    if (gone.signal.aborted) return
    cancel()
    const error = new SandboxError('lost', `Sandbox ${id} is lost: ${reason}`)
    gone.abort(error)
    next.reject(error)
    current?.destroy()
  }

  const session = async () => {
    if (gone.signal.aborted) throw gone.signal.reason
    return current ?? next.promise
  }

  /** At once, and not when it tells of its end: one that was closed takes no more requests, and who tries again must wait for the next. */
  const detach = (session: ClientHttp2Session) => {
    if (current !== session || gone.signal.aborted) return
    current = null
    next = Promise.withResolvers()
    next.promise.catch(() => {})
    cancel = clock.after(lostAfterMs, () => lose('nothing was heard of it for too long'))
  }

  const exchangeUntilAnswered = async (question: Question, isPrompt: boolean): Promise<unknown> => {
    const giveUp = () => lose('its runner does not answer')
    for (let tries = 0; ; tries++) {
      if (isPrompt && tries === MOST_TRIES) giveUp()
      const over = await session()
      const stop = isPrompt ? clock.after(PROMPT_MS, giveUp) : () => {}
      try {
        return await exchange(over, ...question)
      } catch (cause) {
        if (cause instanceof SandboxError) throw cause
        line.distrust(over)
      } finally {
        stop()
      }
    }
  }

  const line: Line = {
    lost: gone.signal,
    session,
    attach(fresh) {
      if (gone.signal.aborted) return void fresh.destroy()
      cancel()
      current?.destroy()
      current = fresh
      const stopPings = keepAlive(fresh, clock)
      fresh.once('close', () => {
        stopPings()
        detach(fresh)
      })
      next.resolve(fresh)
      for (const call of listeners) call(fresh)
    },
    onSession(call) {
      listeners.push(call)
      if (current) call(current)
    },
    lose,
    ask: (...question) => exchangeUntilAnswered(question, false),
    askPromptly: (...question) => exchangeUntilAnswered(question, true),
    async open(method, path, options = { endStream: true }) {
      const over = await session()
      return over.request({ ':method': method, ':path': path }, options)
    },
    distrust(over) {
      const isOpen = !over.destroyed && !over.closed
      // A runner may close it and stay, with a stream open.
      over.destroy()
      detach(over)
      if (isOpen && ++faults > MOST_FAULTS) lose('its runner answers nonsense')
    },
  }
  return line
}

/** Speaks HTTP/2 as the client over a connection that came in. */
export function speak(socket: Duplex): ClientHttp2Session {
  const session = connect('http://runner', {
    createConnection: () => socket,
    settings: { enablePush: false, initialWindowSize: 2 ** 20 },
    maxSessionMemory: 32,
  })
  session.on('error', () => {})
  session.once('connect', () => session.destroyed || session.setLocalWindowSize(WINDOW))
  return session
}

/** A connection whose other end vanished without a word is noticed, and ended. @returns stop */
function keepAlive(session: ClientHttp2Session, clock: Clock): () => void {
  let stop = () => {}
  let answered = true
  const look = () => {
    if (session.destroyed) return
    if (!answered) return session.destroy()
    answered = false
    session.ping(error => (answered = !error))
    stop = clock.after(PING_MS, look)
  }
  stop = clock.after(PING_MS, look)
  return () => stop()
}

/** Asks once. @throws {SandboxError} when the runner refuses, anything else when the connection does not carry it. */
export async function exchange(session: ClientHttp2Session, method: string, path: string, body?: Buffer): Promise<unknown> {
  const stream = session.request({ ':method': method, ':path': path }, { endStream: body === undefined })
  stream.on('error', () => {})
  const headers = answered(stream)
  if (body) stream.end(body)
  const { [ERROR_HEADER]: error } = await headers
  const answer: unknown = JSON.parse((await gather(stream, ANSWER_BYTES, 'The answer is too long')).toString('utf8'))
  if (error === undefined) return answer
  const detail = String((answer as { detail?: unknown }).detail).slice(0, 1000)
  throw new SandboxError(error === 'not_found' ? 'not_found' : 'failed', detail)
}

/** The headers of the answer. @throws {Error} when the stream is over before they come. */
export function answered(stream: ClientHttp2Stream): Promise<IncomingHttpHeaders> {
  return new Promise((resolve, reject) => {
    stream.once('response', resolve)
    stream.once('error', reject)
    stream.once('close', () => reject(new Error('The connection broke')))
  })
}
