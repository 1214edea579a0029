import type * as z from 'zod'
import { ApiError, type Operation, type Problem } from '#shared/contract/index.ts'

type Issue = NonNullable<Problem['issues']>[number]

const MAX_ISSUES = 100
const MAX_POINTER = 500

/** A request before validation. */
export interface RawRequest {
  readonly params: Readonly<Record<string, string>>
  readonly query: Iterable<readonly [string, string]>
  header(name: string): string | undefined
  readonly body: unknown
}

/**
 * Turns a request into a handler's input.
 *
 * Wrong fields of the body are named by JSON Pointers into the body (`/checks/0`), others under the part they are in
 * (`/query/limit`, `/headers/idempotency-key`). A path that cannot be one of ours names nothing: 404 and not 422.
 * @throws {ApiError} `not_found`, or `invalid_request` with every wrong field.
 */
export function validate(operation: Operation, raw: RawRequest): Record<string, unknown> {
  const input: Record<string, unknown> = {}
  const issues: Issue[] = []
  const check = (part: string, schema: z.ZodType | undefined, value: unknown, prefix: string) => {
    if (!schema) return
    const parsed = schema.safeParse(value)
    if (parsed.success) input[part] = parsed.data
    else issues.push(...parsed.error.issues.flatMap(issue => describe(issue, prefix)))
  }

  check('params', operation.params, raw.params, '/params')
  if (issues.length > 0) throw new ApiError('not_found', 'Nothing here has such an id or name.')
  check('query', operation.query, single(raw.query, operation, issues), '/query')
  check('headers', operation.headers, headers(raw, operation), '/headers')
  check('body', operation.body, raw.body, '')
  if (issues.length > 0) throw new ApiError('invalid_request', summary(issues), { issues: issues.slice(0, MAX_ISSUES) })
  return input
}

/** One value a name; names given twice and, where an operation takes no query at all, every name become issues. */
function single(query: RawRequest['query'], operation: Operation, issues: Issue[]): Record<string, string> {
  const values = new Map<string, string>()
  const wrong = new Map<string, string>()
  for (const [name, value] of query) {
    if (!operation.query) wrong.set(name, 'this operation takes no such parameter')
    else if (name === '__proto__') wrong.set(name, 'there is no such field')
    else if (values.has(name)) wrong.set(name, 'given more than once')
    else values.set(name, value)
  }
  for (const [name, message] of wrong) issues.push({ path: pointer('/query', [name]), message })
  return Object.fromEntries(values)
}

function headers(raw: RawRequest, operation: Operation): Record<string, string> {
  const names = Object.keys(operation.headers?.shape ?? {})
  return Object.fromEntries(
    names.flatMap(name => {
      const value = raw.header(name)
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

function describe(issue: z.core.$ZodIssue, prefix: string): Issue[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map(key => ({ path: pointer(prefix, [...issue.path, key]), message: 'there is no such field' }))
  return [{ path: pointer(prefix, issue.path), message: issue.message }]
}

/** JSON Pointer (RFC 6901). Keys are the caller's words, so the length is bounded. */
function pointer(prefix: string, path: readonly PropertyKey[]): string {
  const whole = prefix + path.map(key => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
  return whole.length > MAX_POINTER ? `${whole.slice(0, MAX_POINTER)}…` : whole
}

function summary(issues: readonly Issue[]): string {
  const [first, ...others] = issues
  const rest = others.length === 0 ? '' : ` (and ${others.length} more)`
  return first ? `${first.path || 'The body'}: ${first.message}${rest}` : 'The request is not valid.'
}
