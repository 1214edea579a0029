import type { Clock } from '#server/lib/clock.ts'
import type { ModelCall, Models } from '#server/models/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import type { ModelCallNews } from '#shared/model/index.ts'

/** Bytes of an answer held for a program that reads slowly; a home that sends more waits. */
const MAX_HELD_BYTES = 256 * 1024
/** Longest a home that sends a piece is kept waiting for room, ms: it then asks again. */
const ROOM_MS = 10_000
/** Bytes of new calls told at once, and how many; there is always room for one. */
const MAX_NEWS_BYTES = 8 * 1024 * 1024
const MAX_NEWS = 64

/** What the home knows of the calls. */
export interface KnownCalls {
  /** Number of the last call it has heard of. */
  readonly after: number
  /** Calls it is answering. */
  readonly open: readonly number[]
  readonly waitMs: number
}

/** A part of an answer, and where it stands in the whole. */
export interface AnswerPiece {
  readonly offset: number
  readonly status: number
  /** Content type of the whole. */
  readonly type: string
  readonly retryAfter?: string | undefined
  /** Whether more will come; `broken`: no more will, and it is not all. */
  readonly end: 'more' | 'whole' | 'broken'
  readonly body: Uint8Array
}

/**
 * Model calls of one attempt that its home answers. The home fetches them and brings the answers, so that the worker needs no way to
 * it; while it is away they wait, as long as the attempt may.
 */
export interface CallQueue {
  /** Answers with what the home sends. What was used is counted there. */
  readonly home: Pick<Models, 'chat' | 'embed'>
  /** What the home has not heard of yet; waits for it. */
  take(known: KnownCalls, signal: AbortSignal): Promise<ModelCallNews>
  /** Takes a piece, and answers once there is room for another. A piece sent again is taken once. */
  answer(id: number, piece: AnswerPiece, signal: AbortSignal): Promise<{ bytes: number; isOpen: boolean }>
  /** The attempt is over: every call fails. */
  close(): void
}

interface OpenCall {
  readonly kind: 'chat' | 'embed'
  /** null once it is being answered, or nobody waits for it: nobody needs it any more. */
  request: unknown
  readonly requestBytes: number
  received: number
  isGone: boolean
  /** Whether the home may have heard of it. */
  isTold: boolean
  readonly answered: PromiseWithResolvers<Response>
  stream: ReadableStreamDefaultController<Uint8Array> | null
  /** Tells those who wait that there may be room. */
  readonly onRoom: Set<() => void>
  /** Stops listening to whoever asked. */
  leave(): void
}

export function createCallQueue({ clock }: { clock: Pick<Clock, 'after'> }): CallQueue {
  const calls = new Map<number, OpenCall>()
  const listeners = new Set<() => void>()
  let last = 0
  let isOver = false

  function changed(): void {
    for (const listener of [...listeners]) listener()
  }

  function ask(kind: OpenCall['kind'], request: unknown, { signal }: ModelCall): Promise<Response> {
    signal.throwIfAborted()
    if (isOver) throw ended()
    const id = ++last
    const abandon = () => fail(id, call, signal.reason)
    const call: OpenCall = {
      kind,
      request,
      requestBytes: Buffer.byteLength(JSON.stringify(request)),
      received: 0,
      isGone: false,
      isTold: false,
      answered: Promise.withResolvers(),
      stream: null,
      onRoom: new Set(),
      leave: () => signal.removeEventListener('abort', abandon),
    }
    calls.set(id, call)
    signal.addEventListener('abort', abandon, { once: true })
    changed()
    return call.answered.promise
  }

  /** Nobody waits for the call any more. Of one that the home may have heard of a name stays until it has heard of that too. */
  function fail(id: number, call: OpenCall, reason: unknown): void {
    if (call.isGone) return
    call.isGone = true
    call.request = null
    if (!call.isTold) calls.delete(id)
    call.leave()
    call.answered.reject(reason)
    call.stream?.error(reason)
    for (const wake of [...call.onRoom]) wake()
    changed()
  }

  function begin(id: number, call: OpenCall, { status, type, retryAfter }: AnswerPiece): void {
    const body = new ReadableStream<Uint8Array>(
      {
        start(controller) {
          call.stream = controller
        },
        pull() {
          for (const wake of [...call.onRoom]) wake()
        },
        cancel() {
          fail(id, call, new Error('The reader went away'))
        },
      },
      new ByteLengthQueuingStrategy({ highWaterMark: MAX_HELD_BYTES }),
    )
    call.request = null
    const headers = { 'content-type': type, ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }) }
    const hasBody = ![204, 205, 304].includes(status)
    call.answered.resolve(new Response(hasBody ? body : null, { status, headers }))
  }

  function end(id: number, call: OpenCall, how: 'whole' | 'broken'): void {
    calls.delete(id)
    call.leave()
    if (how === 'whole') call.stream?.close()
    else call.stream?.error(new Error('The answer from home broke off'))
  }

  /** Fulfils when there is room for more, nobody waits for it, or the time is over. */
  async function room(call: OpenCall, signal: AbortSignal): Promise<void> {
    const isFull = () => !call.isGone && !signal.aborted && (call.stream?.desiredSize ?? 1) <= 0
    if (isFull()) await woken(call.onRoom, ROOM_MS, signal)
  }

  function woken(listening: Set<() => void>, ms: number, signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const done = () => {
        cancel()
        listening.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      const cancel = clock.after(ms, done)
      listening.add(done)
      signal.addEventListener('abort', done, { once: true })
    })
  }

  function news({ after, open }: KnownCalls): ModelCallNews {
    const fresh: ModelCallNews['calls'] = []
    let bytes = 0
    for (const [id, call] of calls) {
      const { kind, request, requestBytes, received } = call
      if (id <= after || call.isGone) continue
      bytes += requestBytes
      if (fresh.length > 0 && (bytes > MAX_NEWS_BYTES || fresh.length >= MAX_NEWS)) break
      call.isTold = true
      fresh.push({ id, kind, request, isBegun: request === null || received > 0 })
    }
    return { calls: fresh, gone: open.filter(id => calls.get(id)?.isGone ?? true), isOver }
  }

  return {
    home: {
      chat: async (request, call) => ask('chat', request, call),
      embed: async (request, call) => ask('embed', request, call),
    },
    async take(known, signal) {
      for (const [id, { isGone }] of calls) if (isGone && !known.open.includes(id)) calls.delete(id)
      const now = news(known)
      if (now.calls.length > 0 || now.gone.length > 0 || isOver) return now
      await woken(listeners, known.waitMs, signal)
      return news(known)
    },
    async answer(id, piece, signal) {
      const call = calls.get(id)
      if (!call || call.isGone) {
        calls.delete(id)
        return { bytes: 0, isOpen: false }
      }
      const { offset, body } = piece
      if (offset <= call.received) {
        if (!call.stream) begin(id, call, piece)
        const fresh = body.subarray(Math.min(body.byteLength, call.received - offset))
        call.received += fresh.byteLength
        if (fresh.byteLength > 0) call.stream?.enqueue(fresh)
      }
      const isAll = offset + body.byteLength <= call.received
      if (piece.end !== 'more' && isAll) end(id, call, piece.end)
      else await room(call, signal)
      return { bytes: call.received, isOpen: !call.isGone }
    },
    close() {
      isOver = true
      for (const [id, call] of calls) fail(id, call, ended())
      calls.clear()
      changed()
    },
  }
}

const ended = () => new ApiError('not_ready', 'The attempt has ended, and its model calls with it.')
