import { on } from 'node:events'
import { type RawData, WebSocket } from 'ws'
import { ApiError, type ClientMessage, decodeLogFrame, ServerMessage, SILENCE_MS, STREAM_PATH } from '#shared/contract/index.ts'
import type { JobEvent, JobId } from '#shared/model/index.ts'
import { CliError, EXIT } from './exit-codes.ts'

/** What a follower of a job is given, in order and without gap or repeat within each topic. */
export type StreamItem =
  | { readonly type: 'event'; readonly event: JobEvent }
  | { readonly type: 'log'; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly type: 'lost'; readonly reason: string }
  | { readonly type: 'back' }

export interface FollowOptions {
  readonly url: string
  readonly token: string | null
  readonly jobId: JobId
  /** Number of the last event already seen; left out, events are not followed. */
  readonly events?: number
  /** Offset of the first log byte wanted; left out, the log is not followed. */
  readonly log?: number
  readonly signal: AbortSignal
  readonly retry?: RetryOptions
}

interface RetryOptions {
  readonly firstMs: number
  readonly longestMs: number
  /** How long to go on without any connection. */
  readonly patienceMs: number
}
const RETRY: RetryOptions = { firstMs: 200, longestMs: 5_000, patienceMs: 120_000 }

const EVENTS = 1
const LOG = 2
/** Close codes of RFC 6455 with a meaning of their own here. */
const POLICY_VIOLATION = 1008

/** Where a follower stands; what a connection that breaks leaves to the next one. */
interface Position {
  events: number | null
  log: number | null
}

/**
 * Follows a job to its end over the server's WebSocket. A connection that breaks is made again, waiting longer each time, and
 * goes on from where the last one stood.
 * @throws {CliError} when the token is refused, the job is unknown, or the server stays away past the patience.
 */
export async function* followJob(options: FollowOptions): AsyncGenerator<StreamItem, void> {
  const { signal, retry = RETRY } = options
  const position: Position = { events: options.events ?? null, log: options.log ?? null }
  let lostAt: number | null = null
  for (let tries = 0; !signal.aborted; tries++) {
    const connection = openConnection(options, position)
    let next = await connection.next()
    try {
      for (; !next.done; next = await connection.next()) {
        if (lostAt !== null) yield { type: 'back' }
        lostAt = null
        tries = 0
        if (next.value.type !== 'alive') yield next.value
      }
    } finally {
      await connection.return({ over: true })
    }
    if (next.value.over || signal.aborted) return
    if (lostAt === null) yield { type: 'lost', reason: next.value.reason }
    lostAt ??= performance.now()
    if (performance.now() - lostAt > retry.patienceMs) {
      throw new CliError(
        EXIT.unavailable,
        `The Skein server at ${options.url} went away (${next.value.reason}) and did not come back.`,
        {
          remedy: `Start it again with \`skein serve\`, then \`skein logs -f ${options.jobId}\`.`,
        },
      )
    }
    await pause(Math.min(retry.longestMs, retry.firstMs * 2 ** tries) * (0.5 + Math.random() / 2), signal)
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })
}

type Received = StreamItem | { readonly type: 'alive' }
/** How a connection ended: for good, or for a reason that another try may mend. */
type Ending = { readonly over: true } | { readonly over: false; readonly reason: string }
const lost = (reason: string): Ending => ({ over: false, reason })

/** One connection, from where `position` stands; moves it on. @throws {CliError} {ApiError} for what no other try would mend. */
async function* openConnection(options: FollowOptions, position: Position): AsyncGenerator<Received, Ending> {
  const { token, signal, jobId, url } = options
  const socket = new WebSocket(url.replace(/^http/, 'ws') + STREAM_PATH, {
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
    perMessageDeflate: false,
  })
  let reason = 'the connection ended'
  socket.on('error', error => {
    reason = error.message || 'connection refused'
  })
  socket.on('close', (_, text) => {
    if (text.length > 0) reason = text.toString()
  })
  const isRefused = wasRefused(socket)
  const open = new Set<number>()
  socket.on('open', () => {
    for (const message of subscriptions(jobId, position)) {
      open.add(message.subscription)
      socket.send(JSON.stringify(message))
    }
  })
  using watchdog = endWhenSilent(socket)
  const abandon = () => socket.terminate()
  signal.addEventListener('abort', abandon)
  if (signal.aborted) abandon()
  try {
    for await (const frame of frames(socket)) {
      watchdog.heard()
      if (frame.binary) {
        const item = logItem(frame.bytes, position)
        if (item === 'gap') return lost('log bytes are missing')
        if (item !== 'seen') yield item
        continue
      }
      const message = ServerMessage.parse(JSON.parse(new TextDecoder().decode(frame.bytes)))
      switch (message.type) {
        case 'hello':
        case 'heartbeat':
        case 'subscribed':
        case 'lagged':
        case 'peers':
        case 'offer':
        case 'modelQuestion':
          yield { type: 'alive' }
          break
        case 'event': {
          const item = eventItem(message.payload.event, position)
          if (item === 'gap') return lost('events are missing')
          if (item !== 'seen') yield item
          break
        }
        case 'end':
          open.delete(message.payload.subscription)
          if (message.payload.subscription === EVENTS) position.events = null
          else position.log = null
          if (open.size === 0) return { over: true }
          break
        case 'error':
          throw ApiError.fromProblem(message.payload.problem)
      }
    }
    if (isRefused()) throw denied(url)
    return lost(reason)
  } finally {
    signal.removeEventListener('abort', abandon)
    socket.terminate()
  }
}

/** Ends a socket on which nothing was heard for three heartbeats. */
export function endWhenSilent(socket: WebSocket): { heard(): void; [Symbol.dispose](): void } {
  const watchdog = setInterval(() => {
    // A paused socket is this side being slow, not the server being gone.
    if (!socket.isPaused) socket.terminate()
  }, SILENCE_MS)
  return { heard: () => void watchdog.refresh(), [Symbol.dispose]: () => clearInterval(watchdog) }
}

/** Messages of a socket until it closes. A reader that is slow pauses the socket instead of filling memory. */
export async function* frames(socket: WebSocket): AsyncGenerator<{ bytes: Uint8Array; binary: boolean }> {
  const messages = on(socket, 'message', { close: ['close'], highWaterMark: 32, lowWaterMark: 8 }) as AsyncIterable<
    [RawData, boolean]
  >
  try {
    for await (const [data, binary] of messages) yield { bytes: toBytes(data), binary }
  } catch {
    // The error of the socket; the listener above has kept its reason.
  }
}

const toBytes = (data: RawData): Uint8Array =>
  Array.isArray(data) ? Buffer.concat(data) : data instanceof ArrayBuffer ? new Uint8Array(data) : data

function subscriptions(jobId: JobId, position: Position): Extract<ClientMessage, { type: 'subscribe' }>[] {
  const wanted = [
    { subscription: EVENTS, name: 'job', cursor: position.events },
    { subscription: LOG, name: 'log', cursor: position.log },
  ] as const
  return wanted.flatMap(({ subscription, name, cursor }) =>
    cursor === null ? [] : [{ type: 'subscribe' as const, subscription, topic: { name, jobId }, cursor }],
  )
}

function eventItem(event: JobEvent, position: Position): StreamItem | 'gap' | 'seen' {
  const seen = position.events ?? 0
  if (event.n <= seen) return 'seen'
  if (event.n > seen + 1) return 'gap'
  position.events = event.n
  return { type: 'event', event }
}

function logItem(frame: Uint8Array, position: Position): StreamItem | 'gap' | 'seen' {
  const { offset, bytes } = decodeLogFrame(frame)
  const from = position.log ?? 0
  if (offset > from) return 'gap'
  const fresh = bytes.subarray(from - offset)
  if (fresh.length === 0) return 'seen'
  position.log = from + fresh.length
  return { type: 'log', offset: from, bytes: fresh }
}

/** @returns what throws, once a socket is closed, when it was because of the token. */
export function refusal(socket: WebSocket, url: string): () => void {
  const isRefused = wasRefused(socket)
  return () => {
    if (isRefused()) throw denied(url)
  }
}

/** @returns what tells, once a socket is closed, whether it was because of the token. */
export function wasRefused(socket: WebSocket): () => boolean {
  let isRefused = false
  socket.on('error', error => {
    isRefused ||= /\b40[13]$/.test(error.message)
  })
  socket.on('close', code => {
    isRefused ||= code === POLICY_VIOLATION
  })
  return () => isRefused
}

const denied = (url: string): CliError =>
  new CliError(EXIT.denied, `The Skein server at ${url} does not accept this token.`, {
    remedy: 'Use the token in its data directory (`skein token`), by SKEIN_TOKEN or --token.',
  })
