import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { text } from 'node:stream/consumers'
import type { ZodType } from 'zod'
import { linesOf } from '#server/lib/lines.ts'
import type { Connection } from './connection.ts'
import { parseJson, Status } from './objects.ts'

/** An answer of the API server that is not the one asked for. `status` is 0 when it could not be reached at all. */
export class ClusterError extends Error {
  readonly status: number
  /** The API server's own word, such as `AlreadyExists`. */
  readonly reason: string

  constructor(status: number, reason: string, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'ClusterError'
    this.status = status
    this.reason = reason
  }
}

export interface Call {
  readonly body?: object
  readonly query?: Readonly<Record<string, string>>
  /** Of a PATCH; default: server-side apply. */
  readonly contentType?: string
  readonly signal?: AbortSignal | undefined
  /** Without an answer for so long it counts as unreachable. */
  readonly timeoutMs?: number
}

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

/** The API server as it is used here: a request, and a watch. */
export interface ClusterApi {
  readonly said: string
  /** @throws {ClusterError} */
  call<T>(method: Method, path: string, answer: ZodType<T>, call?: Call): Promise<T>
  /**
   * Reads a watch line by line until the server ends it, nothing comes for `silenceMs`, or `signal` aborts.
   * @throws {ClusterError} also for what the server says in the stream, such as 410
   */
  watch(
    path: string,
    query: Readonly<Record<string, string>>,
    each: (line: unknown) => void,
    options: WatchOptions,
  ): Promise<void>
}

export interface WatchOptions {
  readonly signal: AbortSignal
  readonly silenceMs: number
}

const ANSWER_TIMEOUT_MS = 30_000
const APPLY = 'application/apply-patch+yaml'

/** An object of a cluster has a few MiB at most. */
const LINES = { mostCharacters: 64 * 2 ** 20, tooLong: 'it answers without an end of line' }

/** @param counted is told of every request, for those who count. */
export function createClusterApi(connection: Connection, counted: (method: Method, path: string) => void = () => {}): ClusterApi {
  const send = async (method: Method, path: string, call: Call): Promise<IncomingMessage> => {
    const url = new URL(connection.server.replace(/\/$/, '') + path)
    for (const [name, value] of Object.entries(call.query ?? {})) url.searchParams.set(name, value)
    const options = await connection.options()
    counted(method, path)
    const body = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body))
    const headers = {
      ...options.headers,
      accept: 'application/json',
      'user-agent': 'skein',
      ...(body
        ? { 'content-type': method === 'PATCH' ? (call.contentType ?? APPLY) : 'application/json', 'content-length': body.length }
        : {}),
    }
    return new Promise((resolve, reject) => {
      const start = url.protocol === 'http:' ? httpRequest : httpsRequest
      const answered = (response: IncomingMessage) => {
        if (response.statusCode === 401) connection.distrust()
        resolve(response)
      }
      const outgoing = start(url, { ...options, method, headers, ...(call.signal ? { signal: call.signal } : {}) }, answered)
      outgoing.setTimeout(call.timeoutMs ?? ANSWER_TIMEOUT_MS, () => outgoing.destroy(new Error('no answer in time')))
      outgoing.on('error', cause => reject(unreachable(connection, cause)))
      outgoing.end(body)
    })
  }

  return {
    said: connection.said,
    async call(method, path, answer, call = {}) {
      const response = await send(method, path, call)
      const body = await text(response).catch(cause => {
        throw unreachable(connection, cause as Error)
      })
      const status = response.statusCode ?? 0
      if (status < 200 || status > 299) throw refusal(status, body)
      const parsed = answer.safeParse(parseJson(body))
      if (!parsed.success)
        throw new ClusterError(status, 'Unreadable', `The API server answered ${method} ${path} with something else`, {
          cause: parsed.error,
        })
      return parsed.data
    },
    async watch(path, query, each, { signal, silenceMs }) {
      const response = await send('GET', path, { query: { ...query, watch: 'true' }, signal, timeoutMs: silenceMs })
      const status = response.statusCode ?? 0
      if (status !== 200) throw refusal(status, await text(response))
      try {
        for await (const line of linesOf(response, LINES)) {
          const event = parseJson(line)
          const failure = Status.safeParse((event as { object?: unknown } | null)?.object)
          if (failure.success) throw new ClusterError(failure.data.code ?? 500, failure.data.reason, failure.data.message)
          if (event !== null) each(event)
        }
      } catch (cause) {
        throw cause instanceof ClusterError ? cause : unreachable(connection, cause as Error)
      } finally {
        response.destroy()
      }
    },
  }
}

const unreachable = ({ server }: Connection, cause: Error): ClusterError => {
  const code = (cause as NodeJS.ErrnoException).code
  const why = code === 'ECONNREFUSED' ? 'nothing listens there' : cause.message
  return new ClusterError(0, code ?? 'Unreachable', `The API server ${server} does not answer: ${why}`, { cause })
}

function refusal(status: number, body: string): ClusterError {
  const said = Status.safeParse(parseJson(body))
  const { reason, message } = said.success ? said.data : { reason: '', message: body.slice(0, 200) }
  if (status === 401)
    return new ClusterError(
      status,
      'Unauthorized',
      'The API server does not take our credentials: they are wrong or have expired',
    )
  return new ClusterError(status, reason, message || `The API server answered ${status}`)
}
