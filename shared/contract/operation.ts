import type * as z from 'zod'
import type { Role } from '../model/index.ts'
import type { ErrorCode } from './errors.ts'

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'
/** An object schema whose values all come from strings (a path, a query, headers). */
type Strings = z.ZodObject

/**
 * What an operation answers with:
 * - `json`: a document that fits `schema`
 * - `bytes`: raw bytes, streamed
 * - `events`: a JSON page that fits `schema`, or server-sent events when the caller accepts `text/event-stream`
 * - `openai`: the OpenAI wire format, passed through (JSON or server-sent events)
 */
type Answer =
  | { kind: 'json'; schema: z.ZodType }
  | { kind: 'events'; schema: z.ZodType; item: z.ZodType }
  | { kind: 'bytes'; mediaType: string }
  | { kind: 'openai' }

export interface Operation {
  readonly summary: string
  readonly method: Method
  /** Path with `:name` parameters. */
  readonly path: string
  /** Who may call: `open` needs no token, `local` the node's own, `job` that or the token of a running job, `peer` another node. */
  readonly access: 'open' | 'local' | 'job' | 'peer'
  /** The first protocol that has it, of operations between nodes. Default: the first there is. */
  readonly since?: number
  /** What a caller needs to be who shows no token and is known by a mesh; default: `viewer` to read, `admin` for the rest. */
  readonly role?: Role
  readonly params?: Strings
  readonly query?: Strings
  readonly headers?: Strings
  readonly body?: z.ZodType
  /** Takes raw bytes as its body, `application/octet-stream`; the handler gets them whole. */
  readonly upload?: true
  readonly answer: Answer
  /** Success status, and others a handler may choose. */
  readonly status: readonly [number, ...number[]]
  readonly errors: readonly ErrorCode[]
}

/** The role that an operation needs. */
export const roleFor = ({ role, method }: Pick<Operation, 'role' | 'method'>): Role =>
  role ?? (method === 'GET' ? 'viewer' : 'admin')

/** Checks a definition and keeps its exact type. */
export const operation = <const O extends Operation>(definition: O): O => definition

/**
 * Rows of which each is made when it is first asked for: making the schemas of all of them would be a large part of the start of a
 * server, which needs none of them to be ready.
 */
export function madeWhenAsked<const Rows extends Readonly<Record<string, () => Operation>>>(
  rows: Rows,
): { readonly [Name in keyof Rows]: ReturnType<Rows[Name]> } {
  const table = {}
  for (const [name, make] of Object.entries(rows)) {
    let row: Operation | undefined
    Object.defineProperty(table, name, {
      enumerable: true,
      get() {
        row ??= make()
        return row
      },
    })
  }
  return table as { readonly [Name in keyof Rows]: ReturnType<Rows[Name]> }
}

type Part<S, K extends string, Side extends 'in' | 'out'> = S extends z.ZodType
  ? { [P in K]: Side extends 'in' ? z.input<S> : z.output<S> }
  : Record<never, never>

type Upload<O extends Operation> = O['upload'] extends true ? { body: Uint8Array } : Record<never, never>

/** What a handler receives: parsed, with defaults applied. */
export type Input<O extends Operation> = Part<O['params'], 'params', 'out'> &
  Part<O['query'], 'query', 'out'> &
  Part<O['headers'], 'headers', 'out'> &
  Part<O['body'], 'body', 'out'> &
  Upload<O>

/** What a caller gives: defaults may be left out. */
export type Arguments<O extends Operation> = Part<O['params'], 'params', 'in'> &
  Partial<Part<O['query'], 'query', 'in'>> &
  Partial<Part<O['headers'], 'headers', 'in'>> &
  Part<O['body'], 'body', 'in'> &
  Upload<O>

/** What a successful call gives its caller. */
export type Output<O extends Operation> = O['answer'] extends { schema: infer S extends z.ZodType } ? z.output<S> : Response_

/** The part of the Fetch API's Response that both sides use; shared/ has no DOM and no Node types. */
export interface Response_ {
  readonly status: number
  readonly ok: boolean
  readonly headers: { get(name: string): string | null }
  readonly body: unknown
  json(): Promise<unknown>
  text(): Promise<string>
  arrayBuffer(): Promise<ArrayBuffer>
}
