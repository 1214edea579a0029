import { ApiError, Problem } from './errors.ts'
import type { Arguments, Operation, Output, Response_ } from './operation.ts'
import { type OperationName, type Operations, operationNames, operations } from './operations.ts'

/** Sends one request; `fetch` fits, so does anything that carries the same over another wire. */
export type Carrier = (
  path: string,
  init: {
    method: string
    headers: Record<string, string>
    body?: string | Uint8Array
    signal?: unknown
    /** Bytes are asked for, of any number: their stream is the caller's to read. */
    answersBytes?: boolean
  },
) => Promise<Response_>

type Call<O extends Operation> =
  Record<never, never> extends Arguments<O>
    ? (args?: Arguments<O>, options?: { signal?: unknown }) => Promise<Output<O>>
    : (args: Arguments<O>, options?: { signal?: unknown }) => Promise<Output<O>>

export type Client = { readonly [K in keyof Operations]: Call<Operations[K]> }

type AnyArguments = {
  params?: Record<string, unknown>
  query?: Record<string, unknown>
  headers?: Record<string, unknown>
  body?: unknown
}

const query = (values: Record<string, unknown> = {}): string => {
  const pairs = Object.entries(values).filter(([, value]) => value !== undefined)
  return pairs.length === 0
    ? ''
    : `?${pairs.map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(String(value))}`).join('&')}`
}

async function failure(response: Response_): Promise<ApiError> {
  const body = Problem.safeParse(await response.json().catch(() => null))
  if (body.success) return ApiError.fromProblem(body.data)
  return new ApiError('internal', `The server answered ${response.status} without saying why; is this address a Skein node?`)
}

/**
 * One method per operation.
 * @throws {ApiError} from every method, when the server answers with a problem document.
 */
export function createClient(carrier: Carrier, token: string | null): Client {
  const call =
    (name: OperationName) =>
    async (args: AnyArguments = {}, options: { signal?: unknown } = {}) => {
      const operation: Operation = operations[name]
      const path = operation.path.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(args.params?.[name])))
      const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` }
      for (const [name, value] of Object.entries(args.headers ?? {})) if (value !== undefined) headers[name] = String(value)
      const raw = args.body instanceof Uint8Array ? args.body : null
      if (args.body !== undefined) headers['content-type'] = raw ? 'application/octet-stream' : 'application/json'
      const response = await carrier(path + query(args.query), {
        method: operation.method,
        headers,
        ...(args.body === undefined ? {} : { body: raw ?? JSON.stringify(args.body) }),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
        ...(operation.answer.kind === 'bytes' ? { answersBytes: true } : {}),
      })
      if (!response.ok) throw await failure(response)
      return 'schema' in operation.answer ? operation.answer.schema.parse(await response.json()) : response
    }
  return Object.fromEntries(operationNames.map(name => [name, call(name)])) as unknown as Client
}
