import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type * as z from 'zod'
import {
  ApiError,
  ERRORS,
  type ErrorCode,
  type Operation,
  type OperationName,
  operations,
  Problem,
} from '#shared/contract/index.ts'
import { sample } from './api-arbitrary.ts'
import { LOG_BYTES, type SampleApi, type SampleHandlers, sampleHandler, startApi, TOKEN } from './api-sample.ts'

type Arguments = { params?: Record<string, string>; query?: Record<string, unknown>; body?: unknown }
const table = Object.entries(operations) as [OperationName, Operation][]
const withBody = table.filter(([, { body }]) => body)
const withToken = table.filter(([, { access }]) => access !== 'open')

/** What the handlers were given, and what they are to do instead of answering a sample. */
const inputs = new Map<OperationName, unknown>()
const instead = new Map<OperationName, (input: unknown) => unknown>()
let api: SampleApi

beforeAll(async () => {
  const handlers: SampleHandlers = {}
  for (const [name, operation] of table) {
    const answer = sampleHandler(operation)
    handlers[name] = async (input, call) => {
      inputs.set(name, input)
      return instead.has(name) ? instead.get(name)?.(input) : answer(input, call)
    }
  }
  api = await startApi({ handlers })
})
afterAll(() => api[Symbol.asyncDispose]())

const UPLOADED = new TextEncoder().encode('raw bytes')

const argumentsOf = (operation: Operation): Arguments => ({
  ...(operation.params ? { params: sample(operation.params) as Record<string, string> } : {}),
  ...(operation.body ? { body: sample(operation.body) } : {}),
  ...(needsQuery(operation) ? { query: sample(operation.query as z.ZodType) as Record<string, unknown> } : {}),
  ...(operation.upload ? { body: UPLOADED } : {}),
})
const needsQuery = ({ query }: Operation): boolean => query !== undefined && !query.safeParse({}).success

/** What an operation takes as its body, and as what. */
function payloadOf(operation: Operation): { body?: string | Uint8Array; type?: string } {
  if (operation.upload) return { body: UPLOADED, type: 'application/octet-stream' }
  return operation.body ? { body: JSON.stringify(sample(operation.body)), type: 'application/json' } : {}
}

/** One request as a stranger's program would make it, without the typed client. */
function send(
  operation: Operation,
  change: { method?: string; query?: string; headers?: Record<string, string>; body?: string | Uint8Array | ReadableStream } = {},
) {
  const { params, query = {} } = argumentsOf(operation)
  const { body, type } = payloadOf(operation)
  const path = operation.path.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(params?.[name] ?? ''))
  const sent = change.body ?? body
  const asked = new URLSearchParams(query as Record<string, string>)
  return api.request(path + (change.query ?? (asked.size > 0 ? `?${asked}` : '')), {
    method: change.method ?? operation.method,
    headers: { ...(type === undefined ? {} : { 'content-type': type }), ...change.headers },
    ...(sent === undefined ? {} : { body: sent, duplex: 'half' }),
  } as RequestInit)
}

async function problemOf(response: Response, code: ErrorCode): Promise<Problem> {
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  const problem = Problem.parse(await response.json())
  expect(problem).toMatchObject({ code, status: ERRORS[code].status, title: ERRORS[code].title })
  expect(response.status).toBe(ERRORS[code].status)
  expect(problem.instance).toMatch(/^urn:uuid:[0-9a-f-]{36}$/)
  return problem
}

test.each(table)('%s: the typed client gets an answer that fits', async (name, operation) => {
  const call = api.client[name] as (args: Arguments) => Promise<unknown>
  const args = argumentsOf(operation)
  const answer = await call(args)
  if (operation.answer.kind === 'bytes') expect(new Uint8Array(await (answer as Response).arrayBuffer())).toEqual(LOG_BYTES)
  else if (operation.answer.kind === 'openai') expect(await (answer as Response).json()).toEqual({ object: 'sample' })
  else expect(operation.answer.schema.safeParse(answer).success).toBe(true)
  if (name === 'openapi') return
  if (operation.body) expect(inputs.get(name)).toMatchObject({ body: operation.body.parse(args.body) })
  if (operation.params) expect(inputs.get(name)).toMatchObject({ params: args.params })
})

test.each(table.flatMap(([name, operation]) => operation.status.map(status => [name, status, operation] as const)))(
  '%s: answers %i, and nothing caches, sniffs or frames it',
  async (name, status, operation) => {
    const answer = (await sampleHandler(operation)({}, { signal: new AbortController().signal })) as object
    if (operation.answer.kind === 'json' && name !== 'openapi') instead.set(name, () => ({ ...answer, status }))
    const response = await send(operation).finally(() => instead.delete(name))
    expect(response.status).toBe(status)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'cache-control': 'no-store',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    })
    await response.arrayBuffer()
  },
)

describe('who calls', () => {
  test.each(withToken)('%s: needs the token', async (name, operation) => {
    inputs.delete(name)
    for (const authorization of [
      '',
      'Bearer',
      'Bearer wrong',
      `Basic ${TOKEN}`,
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN} ${TOKEN}`,
      TOKEN,
    ]) {
      const response = await send(operation, { headers: { authorization } })
      expect(response.headers.get('www-authenticate')).toContain('Bearer')
      await problemOf(response, 'unauthorized')
    }
    expect(inputs.has(name)).toBe(false)
  })

  test('the scheme may be written in any case', async () => {
    expect((await send(operations.listJobs, { headers: { authorization: `bearer ${TOKEN}` } })).status).toBe(200)
  })

  test.each(table.filter(([, { access }]) => access === 'open'))('%s: is open', async (_, operation) => {
    expect((await send(operation, { headers: { authorization: '' } })).status).toBe(200)
  })
})

describe('path and method', () => {
  test.each(table)('%s: other methods are named', async (_, operation) => {
    const response = await send(operation, { method: 'PATCH' })
    const allowed = response.headers.get('allow')?.split(', ') ?? []
    expect(allowed).toContain(operation.method)
    await problemOf(response, 'method_not_allowed')
    const options = await send(operation, { method: 'OPTIONS' })
    expect([options.status, options.headers.get('allow')]).toEqual([204, allowed.join(', ')])
  })

  test.each(table.filter(([, { method }]) => method === 'GET'))(
    '%s: HEAD answers as GET does, without the body',
    async (_, operation) => {
      const [get, head] = [await send(operation), await send(operation, { method: 'HEAD' })]
      expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([
        200,
        get.headers.get('content-type'),
        '',
      ])
      await get.arrayBuffer()
    },
  )

  test.each([
    '/',
    '/v1',
    '/v1/jobs/',
    '/V1/jobs',
    '/v1//jobs',
    '/v1/jobs/%2e%2e',
    '/..%2fetc/passwd',
    '/v1/jobs/x/y/z',
    '/%00',
    '/%ff',
  ])('%s is not there', async path => void (await problemOf(await api.request(path), 'not_found')))

  test.each(table.filter(([, { params }]) => params))('%s: an id that cannot be one is not there', async (_, operation) => {
    const ids = ['x', 'UPPERCASE12345', '0123456789abcd0', '..%2f..%2fetc', '%F0%9F%98%80', "'%20OR%201=1", '..', '%00']
    // The name of a feature is its author's.
    for (const id of operation.path.includes(':feature') ? ids.slice(3, 4).concat(ids.slice(6)) : ids) {
      const path = operation.path
        .replace(/:(id|feature)/, id)
        .replace(':name', 'log.txt')
        .replace(':requestId', 'r')
      const { body = null, type } = payloadOf(operation)
      const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type }
      await problemOf(await api.request(path, { method: operation.method, body, headers } as RequestInit), 'not_found')
    }
  })
})

describe('body', () => {
  const tooLong = 2_000_001

  test.each(withBody)('%s: takes JSON only', async (_, operation) => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])
      await problemOf(await send(operation, { headers: { 'content-type': type } }), 'unsupported_media_type')
    await problemOf(await send(operation, { headers: { 'content-encoding': 'gzip' } }), 'unsupported_media_type')
  })

  test.each(withBody)('%s: refuses what is no JSON', async (_, operation) => {
    for (const body of [
      '',
      '{',
      'null x',
      '{"a":1,}',
      '{"__proto__":{}}',
      '['.repeat(100_000),
      new Uint8Array([0x22, 0xc3, 0x28, 0x22]),
    ])
      await problemOf(await send(operation, { body }), 'malformed_body')
  })

  test.each(withBody)('%s: refuses more than it wants to hold, said in advance or not', async (_, operation) => {
    await problemOf(await send(operation, { body: 'x'.repeat(tooLong) }), 'body_too_large')
    const piece = new Uint8Array(100_000)
    let left = 21
    const body = new ReadableStream({ pull: stream => (left-- > 0 ? stream.enqueue(piece) : stream.close()) })
    await problemOf(await send(operation, { body }), 'body_too_large')
  })
})

describe('wrong fields', () => {
  const paths = async (response: Response) => {
    const { issues = [] } = await problemOf(response, 'invalid_request')
    return [...new Set(issues.map(({ path }) => path))]
  }

  /** A value that does not fit a field. */
  const misfit = (field: z.ZodType): unknown => [[[]], { '': 1 }, -1.5, 'x', null].find(value => !field.safeParse(value).success)
  const fields = withBody.flatMap(([name, operation]) => {
    const shape = (operation.body as z.ZodObject).shape as Record<string, z.ZodType>
    return Object.entries(shape).map(([field, schema]) => [name, field, schema, operation] as const)
  })

  test.each(fields)('%s: a wrong /%s is named', async (_, field, schema, operation) => {
    const body = { ...(sample(operation.body as z.ZodType) as object), [field]: misfit(schema) }
    const named = await paths(await send(operation, { body: JSON.stringify(body) }))
    expect(named.some(path => path === `/${field}` || path.startsWith(`/${field}/`))).toBe(true)
  })

  test('all of them at once, deep ones too', async () => {
    const body = {
      task: 1,
      checks: [['true'], []],
      env: { 'A B': 'x' },
      limits: { processes: 0 },
      network: { allow: ['http://x'] },
      odd: 1,
    }
    const named = await paths(await send(operations.createJob, { body: JSON.stringify(body) }))
    expect(named.toSorted()).toEqual(['/checks/1', '/env/A B', '/limits/processes', '/network/allow/0', '/odd', '/task'])
  })

  test.each(withBody)('%s: a body of another kind is wrong as a whole', async (_, operation) => {
    for (const body of ['null', '[]', '1', '"text"', 'true']) expect(await paths(await send(operation, { body }))).toEqual([''])
  })

  test.each(table)('%s: an unknown parameter is named', async (_, operation) => {
    const asked = new URLSearchParams({ ...(argumentsOf(operation).query as Record<string, string>), surprise: '1' })
    expect(await paths(await send(operation, { query: `?${asked}` }))).toEqual(['/query/surprise'])
  })

  test('parameters given twice, out of range or of another kind are named', async () => {
    for (const query of [
      '?limit=1&limit=2',
      '?limit=0',
      '?limit=201',
      '?limit=x',
      '?limit=1e999',
      '?limit=',
      '?limit=-1',
      '?limit=1.5',
    ])
      expect(await paths(await send(operations.listJobs, { query }))).toEqual(['/query/limit'])
    expect(await paths(await send(operations.readLog, { query: '?offset=9007199254740992' }))).toEqual(['/query/offset'])
  })

  test('a wrong header is named', async () => {
    for (const key of ['', 'a b', 'x'.repeat(256), 'é'])
      expect(await paths(await send(operations.createJob, { headers: { 'idempotency-key': key } }))).toEqual([
        '/headers/idempotency-key',
      ])
  })
})

describe('errors of handlers', () => {
  const declared = table.flatMap(([name, operation]) => operation.errors.map(code => [name, code, operation] as const))

  test.each(declared)('%s: %s becomes its status and problem', async (name, code, operation) => {
    instead.set(name, () => {
      throw new ApiError(code, 'What happened.', { remedy: 'What to do.', retryAfterMs: 1500, missingBytes: 7 })
    })
    const response = await send(operation).finally(() => instead.delete(name))
    expect(response.headers.get('retry-after')).toBe('2')
    expect(await problemOf(response, code)).toMatchObject({ detail: 'What happened.', remedy: 'What to do.', missingBytes: 7 })
  })

  test.each(table.filter(([name]) => name !== 'openapi'))(
    '%s: what nobody foresaw is logged, not shown',
    async (name, operation) => {
      instead.set(name, () => {
        throw new Error('SQLITE_CORRUPT at /home/someone/secret')
      })
      const response = await send(operation).finally(() => instead.delete(name))
      const problem = await problemOf(response, 'internal')
      expect(JSON.stringify(problem)).not.toContain('SQLITE')
      const line = api.log.find(({ instance }) => instance === problem.instance)
      expect(line).toMatchObject({ level: 50, err: { message: 'SQLITE_CORRUPT at /home/someone/secret' } })
    },
  )

  test('an answer that does not fit its schema is noticed', async () => {
    instead.set('listAgents', () => ({ status: 200, body: { items: [{}] } }))
    await problemOf(await send(operations.listAgents).finally(() => instead.delete('listAgents')), 'internal')
  })
})
