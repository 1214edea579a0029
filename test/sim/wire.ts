import { validate } from '#server/api/validate.ts'
import type { Handlers } from '#server/lib/call.ts'
import { ApiError, type Carrier, type Operation, operations, type Response_ } from '#shared/contract/index.ts'
import type { NodeId } from '#shared/model/index.ts'
import type { Network } from './network.ts'
import type { ServerProcess } from './server-process.ts'
import type { Timeline } from './timeline.ts'

/** A node as the wire knows it; its server changes with every start. */
export interface Endpoint {
  readonly name: string
  readonly id: NodeId
  /** null while none runs. */
  server(): { readonly process: ServerProcess; readonly handlers: Partial<Handlers> } | null
}

/** Longest wait for the head of an answer, and between two pieces of its body, ms; what `fetch` of Node allows. */
const SILENCE_MS = 300_000
/** A piece that is not acknowledged is sent again after this, doubled each time, ms; after the last the connection is over. */
const RESEND_MS = 1_000
const MOST_RESENDS = 6

const routes = Object.entries(operations as Record<string, Operation>)
  .filter(([, { access }]) => access === 'peer')
  .map(([name, operation]) => {
    const pattern = new RegExp(`^${operation.path.replaceAll(/:(\w+)/g, '(?<$1>[^/]+)')}$`)
    return { name: name as keyof Handlers, operation, pattern }
  })

function route(method: string, path: string) {
  for (const { name, operation, pattern } of routes) {
    const match = operation.method === method ? pattern.exec(path) : null
    if (match) return { name, operation, params: { ...match.groups } }
  }
  throw new ApiError('not_found', `There is no ${method} ${path}.`)
}

type Head =
  | { readonly status: number; readonly text: string }
  | { readonly status: number; readonly pieces: AsyncIterable<Uint8Array> }
/** Told of an answer that is about to be sent. @returns whether it is lost */
type AnswerListener = (from: string, to: string, operation: string) => boolean
type Handler = (input: unknown, call: { signal: AbortSignal; peer: NodeId }) => Promise<unknown>

export interface WireDeps {
  readonly timeline: Timeline
  readonly network: Network
  /** Told of every request, answer and piece. */
  readonly trace: (line: string) => void
}

/** Carries operations between nodes as HTTP over TCP would: a request and an answer may be lost, pieces of a body keep their order. */
export function createWire({ timeline, network, trace }: WireDeps) {
  let exchanges = 0
  const listeners = new Set<AnswerListener>()

  /** Sends until it has arrived once. @returns whether it did */
  function insist(from: string, to: string, arrive: () => void): Promise<boolean> {
    return new Promise(resolve => {
      let isDone = false
      const attempt = (left: number, ms: number) => {
        if (isDone) return
        if (left === 0) {
          isDone = true
          return resolve(false)
        }
        network.send(from, to, () => {
          if (isDone) return
          isDone = true
          arrive()
          resolve(true)
        })
        timeline.after(ms, () => attempt(left - 1, 2 * ms))
      }
      attempt(MOST_RESENDS, RESEND_MS)
    })
  }

  /** Runs the handler for one request that arrived. */
  async function serve(
    to: Endpoint,
    handlers: Partial<Handlers>,
    from: Endpoint,
    request: Request_,
    signal: AbortSignal,
  ): Promise<Head> {
    try {
      const url = new URL(request.path, 'http://node')
      const { name, operation, params } = route(request.method, url.pathname)
      const body = request.body instanceof Uint8Array || request.body === undefined ? request.body : JSON.parse(request.body)
      const input = { ...validate(operation, { params, query: url.searchParams, header: () => undefined, body }) }
      if (operation.upload) input.body = body
      const handler = handlers[name] as Handler | undefined
      if (!handler) throw new Error(`${to.name} has no ${name}`)
      const given = (await handler(input, { signal, peer: from.id })) as { status: number; body: unknown }
      if (operation.answer.kind === 'json')
        return { status: given.status, text: JSON.stringify(operation.answer.schema.parse(given.body)) }
      return { status: 200, pieces: given.body as AsyncIterable<Uint8Array> }
    } catch (error) {
      const problem = error instanceof ApiError ? error : new ApiError('internal', String(error))
      return { status: problem.status, text: JSON.stringify(problem.toProblem()) }
    }
  }

  function isLost(from: string, to: string, { method, path }: Request_): boolean {
    const { name } = route(method, new URL(path, 'http://node').pathname)
    return [...listeners].filter(listener => listener(from, to, name)).length > 0
  }

  /** @returns what `from` sends requests to `to` by, for as long as its server lives */
  function carrier(from: Endpoint, process: ServerProcess, to: Endpoint): Carrier {
    return (path, init) => {
      const id = ++exchanges
      const [a, b] = [from.name, to.name]
      const request: Request_ = {
        path,
        method: init.method,
        body: init.body instanceof Uint8Array ? init.body.slice() : init.body,
      }
      const signal = init.signal instanceof AbortSignal ? init.signal : null
      trace(`${a}>${b} #${id} ${init.method} ${path} ${typeof request.body === 'string' ? request.body : ''}`)

      return new Promise<Response_>((resolve, reject) => {
        const body = createBody(timeline)
        let closers: (() => void)[] = []
        let isOver = false
        let forgetEnd = () => {}

        function finish(): void {
          isOver = true
          forgetEnd()
          signal?.removeEventListener('abort', abort)
          cancelSilence()
        }
        /** The connection is gone: whoever waits for an answer or for more of it hears so. */
        function broken(why: string): void {
          if (isOver) return
          finish()
          const cause = new TypeError('fetch failed', { cause: new Error(why) })
          reject(cause)
          body.fail(cause)
        }
        /** The caller does not want it any more. */
        function close(): void {
          const told = closers
          closers = []
          for (const closer of told) network.send(a, b, closer)
        }
        function abort(): void {
          if (isOver) return
          finish()
          reject(signal?.reason)
          body.fail(signal?.reason)
          close()
        }
        const cancelSilence = timeline.after(SILENCE_MS, () => process.deliver(() => broken('no answer came')))
        body.onSilence(() => process.deliver(() => broken('nothing came any more')))
        body.onClose(() => {
          finish()
          close()
        })
        if (signal?.aborted) return abort()
        signal?.addEventListener('abort', abort)

        const toCaller = (call: () => void) => process.deliver(call)
        const reset = (why: string) => network.send(b, a, () => toCaller(() => broken(why)))

        const arrive = () => {
          const server = to.server()
          if (!server) return reset('connect ECONNREFUSED')
          server.process.deliver(() => {
            const controller = new AbortController()
            closers.push(() => server.process.deliver(() => controller.abort()))
            forgetEnd = server.process.onEnd(how => how === 'kill' && reset('the connection was reset'))
            void serve(to, server.handlers, from, request, controller.signal).then(head => {
              trace(`${b}>${a} #${id} ${head.status} ${'text' in head ? head.text : 'body'}`)
              if ('text' in head) {
                if (head.status === 200 && isLost(b, a, request)) return
                network.send(b, a, () =>
                  toCaller(() => {
                    if (isOver) return
                    finish()
                    resolve(responseOf(head.status, head.text, null))
                  }),
                )
                return
              }
              void pump(server.process, head.pieces, controller)
            })
          })
        }

        /** Sends a body piece by piece, each when the one before has arrived, so that they keep their order. */
        async function pump(
          server: ServerProcess,
          pieces: AsyncIterable<Uint8Array>,
          controller: AbortController,
        ): Promise<void> {
          // A copy of the request is served too; its answer finds nobody.
          let isOurs = false
          const head = () =>
            toCaller(() => {
              if (isOver || body.isOpen()) return
              isOurs = true
              body.open()
              cancelSilence()
              resolve(responseOf(200, '', body.pieces()))
            })
          const deliver = async (call: () => void) => {
            const arrived = await insist(b, a, call)
            await new Promise<void>(next => server.deliver(next))
            return arrived
          }
          try {
            if (!(await deliver(head)) || !isOurs) return
            for await (const piece of pieces) {
              const copy = piece.slice()
              trace(`${b}>${a} #${id} ${copy.byteLength} bytes`)
              if (controller.signal.aborted || !(await deliver(() => toCaller(() => body.push(copy))))) return
            }
            await deliver(() => toCaller(() => body.end()))
          } catch (error) {
            reset(String(error))
          }
        }

        if (network.way(a, b).isToldOf) timeline.after(1, () => toCaller(() => broken('connect ENETUNREACH')))
        else network.send(a, b, arrive)
      })
    }
  }

  return {
    carrier,
    /** @returns what ends it */
    onAnswer(listener: AnswerListener): () => void {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
export type Wire = ReturnType<typeof createWire>

interface Request_ {
  readonly path: string
  readonly method: string
  readonly body: string | Uint8Array | undefined
}

function responseOf(status: number, text: string, body: AsyncIterable<Uint8Array> | null): Response_ {
  return {
    status,
    ok: status < 400,
    headers: { get: () => null },
    body,
    json: async () => JSON.parse(text),
    text: async () => text,
    arrayBuffer: async () => new TextEncoder().encode(text).buffer,
  }
}

/** The body of an answer as it comes. */
function createBody(timeline: Timeline) {
  const waiting: Uint8Array[] = []
  let isOpen = false
  let isEnded = false
  let failure: { cause: unknown } | null = null
  let wake = () => {}
  let silent = () => {}
  let closed = () => {}
  let cancelSilence = () => {}

  function listen(): void {
    cancelSilence()
    cancelSilence = timeline.after(SILENCE_MS, () => silent())
  }
  function news(): void {
    wake()
    if (isEnded || failure) cancelSilence()
    else listen()
  }

  return {
    isOpen: () => isOpen,
    open() {
      isOpen = true
      listen()
    },
    push(piece: Uint8Array) {
      waiting.push(piece)
      news()
    },
    end() {
      isEnded = true
      news()
    },
    fail(cause: unknown) {
      failure ??= { cause }
      if (isOpen) news()
    },
    onSilence(call: () => void) {
      silent = call
    },
    onClose(call: () => void) {
      closed = call
    },
    async *pieces(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          const piece = waiting.shift()
          if (piece) yield piece
          else if (failure) throw failure.cause
          else if (isEnded) return
          else
            await new Promise<void>(resolve => {
              wake = resolve
            })
        }
      } finally {
        cancelSilence()
        closed()
      }
    },
  }
}
