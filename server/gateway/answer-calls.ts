import type { Clock } from '#server/lib/clock.ts'
import type { Models, ModelUse } from '#server/models/index.ts'
import type { Log } from '#server/telemetry/index.ts'
import { ApiError, ChatRequest, EmbeddingRequest } from '#shared/contract/index.ts'
import type { ModelCallNews } from '#shared/model/index.ts'
import { type BudgetedCall, createBudget } from './budget.ts'
import type { AnswerPiece, CallQueue, KnownCalls } from './call-queue.ts'
import { problemBody, toApiError } from './failure.ts'
import { parseRequest } from './request.ts'

/** How long one question for calls waits, ms. */
const WAIT_MS = 20_000
/** Pauses between tries to reach the worker, ms: doubled from the first to the last. */
const FIRST_PAUSE_MS = 100
const LAST_PAUSE_MS = 5_000
/** How long the parts of a stream are gathered before they are sent, ms: every message is signed, and tokens come one by one. */
const GATHER_MS = 20
/** Largest piece sent at once, bytes. */
const MAX_PIECE_BYTES = 1024 * 1024
/** Calls open at once past which a worker is not honest: its own gateways let fewer through. */
const MOST_OPEN = 256
/** Longest words of a head, characters. */
const MAX_TYPE = 200
const MAX_RETRY_AFTER = 40
const NOTHING = new Uint8Array()

/** The calls of one attempt on another node. @throws {ApiError} `not_yours` when the attempt is not there any more */
export type CallSource = {
  take(known: KnownCalls, signal: AbortSignal): Promise<ModelCallNews>
} & Pick<CallQueue, 'answer'>

type Head = Pick<AnswerPiece, 'status' | 'type' | 'retryAfter'>

/**
 * Answers the model calls of one attempt that runs elsewhere, by this node's models and under the same limits as those of an attempt
 * here, until the attempt is over or `signal` aborts; then the calls still open are given up. What was used has been told of when
 * this fulfils. Never throws.
 */
export async function answerCalls(deps: {
  source: CallSource
  models: Models
  used(use: ModelUse): void
  clock: Pick<Clock, 'after'>
  log: Log
  signal: AbortSignal
}): Promise<void> {
  const { source, models, used, clock, log, signal } = deps
  const budget = createBudget()
  const open = new Map<number, { controller: AbortController; done: Promise<void> }>()
  let after = 0

  function begin({ id, ...call }: ModelCallNews['calls'][number]): void {
    const controller = new AbortController()
    const done = answer(id, call, controller.signal)
      .catch(error => {
        // An answer that cannot be sent ends with the call; the worker tells its program.
        if (!controller.signal.aborted) log.debug({ err: error }, 'A model call of another node was not answered')
      })
      .finally(() => open.delete(id))
    open.set(id, { controller, done })
  }

  async function answer(id: number, call: Omit<ModelCallNews['calls'][number], 'id'>, gone: AbortSignal): Promise<void> {
    const send = sender(id, gone)
    // Begun by a server of this node that is no more: the program has a part of it and can only ask again.
    if (call.isBegun) return void (await send({ status: 200, type: 'text/plain' }, NOTHING, 'broken'))
    let held: BudgetedCall | null = null
    try {
      let answered: Response
      try {
        held = budget.begin()
        answered = await ask(call, held, gone)
      } catch (error) {
        gone.throwIfAborted()
        answered = refusal(toApiError(error, log))
      }
      await pass(answered, send, gone)
    } finally {
      held?.[Symbol.dispose]()
    }
  }

  function ask(
    { kind, request }: Pick<ModelCallNews['calls'][number], 'kind' | 'request'>,
    held: BudgetedCall,
    gone: AbortSignal,
  ): Promise<Response> {
    held.take(Buffer.byteLength(JSON.stringify(request ?? null)))
    const call = { signal: gone, used }
    return kind === 'chat'
      ? models.chat(parseRequest(request, ChatRequest), call)
      : models.embed(parseRequest(request, EmbeddingRequest), call)
  }

  async function pass(answered: Response, send: ReturnType<typeof sender>, gone: AbortSignal): Promise<void> {
    const head = headOf(answered)
    const pieces = gathered(answered.body, clock)
    let isWhole = false
    try {
      for await (const { bytes, isLast } of pieces) {
        isWhole = isLast
        if (!(await send(head, bytes, isLast ? 'whole' : 'more'))) return
      }
    } catch (error) {
      if (gone.aborted || isWhole) throw error
      await send(head, NOTHING, 'broken')
    }
  }

  /** Sends the pieces of one answer in order, each until it is taken. @returns whether anybody still waits for more */
  function sender(id: number, gone: AbortSignal) {
    let offset = 0
    return async (head: Head, body: Uint8Array, end: AnswerPiece['end']): Promise<boolean> => {
      for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LAST_PAUSE_MS)) {
        gone.throwIfAborted()
        try {
          const { bytes, isOpen } = await source.answer(id, { ...head, offset, end, body }, gone)
          if (!isOpen) return false
          if (bytes < offset + body.byteLength) throw new Error('The worker did not take what was sent to it')
          offset += body.byteLength
          return true
        } catch (error) {
          if (gone.aborted || isLasting(error)) throw error
          await sleep(pause, gone)
        }
      }
    }
  }

  function sleep(ms: number, until: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const done = () => {
        cancel()
        until.removeEventListener('abort', done)
        resolve()
      }
      const cancel = clock.after(ms, done)
      until.addEventListener('abort', done, { once: true })
      if (until.aborted) done()
    })
  }

  async function follow(): Promise<void> {
    for (let pause = FIRST_PAUSE_MS; !signal.aborted; ) {
      try {
        const news = await source.take({ after, open: [...open.keys()], waitMs: WAIT_MS }, signal)
        pause = FIRST_PAUSE_MS
        const gone = news.gone.flatMap(id => open.get(id) ?? [])
        for (const { controller } of gone) controller.abort()
        const fresh = news.calls.filter(({ id }) => id > after)
        for (const call of fresh) begin(call)
        after = Math.max(after, ...fresh.map(({ id }) => id))
        if (news.isOver || open.size > MOST_OPEN) return
        // A worker that has nothing to say takes its time to say so.
        if (fresh.length === 0 && gone.length === 0) await sleep(FIRST_PAUSE_MS, signal)
      } catch (error) {
        if (error instanceof ApiError && error.code === 'not_yours') return
        await sleep(pause, signal)
        pause = Math.min(2 * pause, LAST_PAUSE_MS)
      }
    }
  }

  await follow()
  const last = [...open.values()]
  for (const { controller } of last) controller.abort()
  await Promise.all(last.map(({ done }) => done))
}

/** What is not mended by sending it again. */
const isLasting = (error: unknown): boolean =>
  error instanceof ApiError && ['not_yours', 'not_found', 'invalid_request', 'body_too_large'].includes(error.code)

/** What a worker takes of a head; a provider may say anything. */
function headOf({ status, headers }: Response): Head {
  const [type, retryAfter] = [headers.get('content-type'), headers.get('retry-after')]
  return {
    status,
    type: type === null || type.length > MAX_TYPE ? 'application/octet-stream' : type,
    ...(retryAfter === null || retryAfter.length > MAX_RETRY_AFTER ? {} : { retryAfter }),
  }
}

function refusal(error: ApiError): Response {
  const { status, headers, body } = problemBody(error)
  return new Response(body, { status, headers })
}

/** The bytes of a body in pieces: the first as it comes, then what came meanwhile or within a moment. There is always a last one. */
async function* gathered(
  body: ReadableStream<Uint8Array> | null,
  clock: Pick<Clock, 'after'>,
): AsyncGenerator<{ bytes: Uint8Array; isLast: boolean }> {
  const iterator = (body ?? new Blob([]).stream())[Symbol.asyncIterator]()
  try {
    let next = iterator.next()
    for (let isFirst = true; ; isFirst = false) {
      const parts: Uint8Array[] = []
      let size = 0
      let isLast = false
      const moment = isFirst ? null : momentOf(GATHER_MS, clock)
      while (size < MAX_PIECE_BYTES) {
        const come = parts.length === 0 ? await next : await Promise.race([next, moment?.over ?? null])
        if (come === null) break
        isLast = come.done === true
        if (come.done) break
        parts.push(come.value)
        size += come.value.byteLength
        next = iterator.next()
        // Whoever waits for it is told of its failure; until then nobody does.
        next.catch(() => {})
      }
      moment?.cancel()
      yield { bytes: Buffer.concat(parts), isLast }
      if (isLast) return
    }
  } finally {
    await iterator.return?.().catch(() => {})
  }
}

function momentOf(ms: number, clock: Pick<Clock, 'after'>): { over: Promise<null>; cancel(): void } {
  let cancel = () => {}
  const over = new Promise<null>(resolve => {
    cancel = clock.after(ms, () => resolve(null))
  })
  return { over, cancel: () => cancel() }
}
