import fc, { type Arbitrary } from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Operation, operations, Problem } from '#shared/contract/index.ts'
import { sample, validInput } from './api-arbitrary.ts'
import { rawBytes, rawRequest } from './api-raw.ts'
import { type SampleApi, startApi, TOKEN } from './api-sample.ts'

const table = Object.entries(operations) as [string, Operation][]
const withBody = table.filter(([, { body }]) => body)
const RUNS = { numRuns: 100 }

let api: SampleApi
beforeAll(async () => {
  api = await startApi({ config: { requestsPerMinute: 10_000_000 } })
})
afterAll(async () => {
  expect((await api.request('/health')).status).toBe(200)
  await api[Symbol.asyncDispose]()
})

const pathOf = (operation: Operation): string => {
  const params = (operation.params ? sample(operation.params) : {}) as Record<string, string>
  return operation.path.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(params[name] ?? ''))
}

/** Sends a body and holds whatever comes back to the rules: an answer in time, no 5xx, errors as problem documents. */
async function send(
  operation: Operation,
  body: string | Uint8Array,
  query = '',
  headers: Record<string, string> = {},
): Promise<number> {
  const answer = await rawRequest(api.url, {
    path: pathOf(operation) + query,
    method: operation.method,
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', ...headers },
    ...(operation.method === 'GET' ? {} : { body }),
  })
  expect(answer.status).toBeLessThan(500)
  if (answer.status >= 400) expect(Problem.parse(JSON.parse(answer.text)).status).toBe(answer.status)
  return answer.status
}

const nested = (depth: number, inner: unknown): unknown => {
  let value = inner
  for (let i = 0; i < depth; i++) value = i % 2 ? [value] : { a: value }
  return value
}

/** Values that have broken programs before. */
const hostile: Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, true, '', [], {}, 0, -0, -1, 1.5, 2 ** 53, -(2 ** 53) - 2, 1e308, 5e-324, 4_294_967_296),
  fc.constantFrom(
    '\u0000',
    '\ud800',
    '\udfff\ud800',
    '﷽'.repeat(100),
    'e\u0301'.repeat(50),
    '../../etc/passwd',
    '$(id)',
    "'; DROP TABLE jobs;--",
    '\u001b[2J',
  ),
  fc.constantFrom('constructor', 'prototype', 'toString').map(key => ({ [key]: { toString: 1 } })),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.integer({ min: 1, max: 200_000 }).map(length => 'x'.repeat(length)),
  fc.tuple(fc.integer({ min: 1, max: 90 }), fc.jsonValue({ maxDepth: 1 })).map(([depth, inner]) => nested(depth, inner)),
  fc.array(fc.constantFrom(0, '', null), { maxLength: 1000 }),
  fc.jsonValue(),
)

/** A value with one part of it, anywhere inside, replaced. */
const mutated = (value: Arbitrary<unknown>): Arbitrary<unknown> =>
  fc.tuple(value, hostile, fc.array(fc.nat(50), { maxLength: 4 })).map(([whole, part, path]) => replaceAt(whole, path, part))

function replaceAt(value: unknown, [step, ...path]: number[], part: unknown): unknown {
  if (step === undefined || typeof value !== 'object' || value === null) return part
  const keys = Object.keys(value)
  const key = keys[step % Math.max(1, keys.length)] ?? 'new'
  const copy = structuredClone(value) as Record<string, unknown>
  copy[key] = replaceAt(copy[key], path, part)
  return copy
}

describe.each(withBody)('%s', (_, operation) => {
  const valid = operation.body ? validInput(operation.body) : fc.anything()

  test('takes whatever its schema allows', async () => {
    await fc.assert(
      fc.asyncProperty(valid, async body => {
        expect(operation.status).toContain(await send(operation, JSON.stringify(body)))
      }),
      RUNS,
    )
  })

  test('answers bodies with one wrong part', async () => {
    await fc.assert(
      fc.asyncProperty(mutated(valid), async body => void (await send(operation, JSON.stringify(body)))),
      { numRuns: 300 },
    )
  })

  test('answers bytes that are no JSON, and JSON cut off', async () => {
    const cut = fc.tuple(valid, fc.nat(200)).map(([body, end]) => new TextEncoder().encode(JSON.stringify(body)).subarray(0, end))
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 500 }), cut), async body => void (await send(operation, body))),
      RUNS,
    )
  })
})

describe.each(table)('%s', (_, operation) => {
  const body = operation.body ? JSON.stringify(sample(operation.body)) : ''
  const names = [...Object.keys(operation.query?.shape ?? {}), 'x', '__proto__', '']
  const word = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.double().map(String),
    fc.constantFrom('', '%', '&', '0x1', 'NaN', 'true'),
  )

  test('answers any query', async () => {
    const encode = (text: string) => encodeURIComponent(text.toWellFormed())
    const query = fc
      .array(fc.tuple(fc.constantFrom(...names), word), { maxLength: 6 })
      .map(pairs => `?${pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&')}`)
    const broken = fc
      .string({ unit: fc.constantFrom('%', '&', '=', '?', '+', ';', 'a', '/', '\\', '%f', '%zz') })
      .map(text => `?${text}`)
    await fc.assert(
      fc.asyncProperty(fc.oneof(query, broken), async text => void (await send(operation, body, text))),
      RUNS,
    )
  })

  test('answers any header', async () => {
    const value = fc.string({
      unit: fc
        .integer({ min: 0x20, max: 0xff })
        .filter(code => code !== 0x7f)
        .map(code => String.fromCharCode(code)),
      maxLength: 60,
    })
    const name = fc.constantFrom(
      'idempotency-key',
      'last-event-id',
      'accept',
      'content-type',
      'content-encoding',
      'authorization',
      'origin',
      'range',
      'x-http-method-override',
      'expect-ct',
    )
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(name, value, { noNullPrototype: true }),
        async headers => void (await send(operation, body, '', headers)),
      ),
      RUNS,
    )
  })
})

test('answers any path', async () => {
  const path = fc.string({
    unit: fc.constantFrom('/', 'v1', 'jobs', '.', '..', '%2f', '%', '%00', '?', '#', '*', ':id', '//', 'é', '\\', '@', '['),
  })
  await fc.assert(
    fc.asyncProperty(path, async text => {
      const answer = await rawRequest(api.url, {
        path: encodeURI(`/${text}`).replaceAll('%25', '%'),
        headers: { authorization: `Bearer ${TOKEN}` },
      })
      expect(answer.status).toBeLessThan(500)
    }),
    { numRuns: 300 },
  )
})

test('survives what is no HTTP', async () => {
  const line = fc.constantFrom(
    'GET / HTTP/1.1',
    'GET * HTTP/1.1',
    'GET http://x/ HTTP/1.1',
    'GET /\\x HTTP/1.0',
    'POST /v1/jobs HTTP/1.1',
    'CONNECT x:1 HTTP/1.1',
    'TRACE / HTTP/1.1',
    'PRI * HTTP/2.0',
    'GET /health HTTP/1.1',
  )
  const header = fc.constantFrom(
    'Host: localhost',
    'Host: a b',
    'Host:',
    'Content-Length: 5',
    'Content-Length: -1',
    'Transfer-Encoding: chunked',
    'Connection: close',
    'Upgrade: websocket',
    'X: \u0000',
    `Y: ${'y'.repeat(20_000)}`,
  )
  const request = fc
    .tuple(line, fc.array(header, { maxLength: 5 }), fc.string({ maxLength: 30 }))
    .map(([first, headers, rest]) => new TextEncoder().encode([first, ...headers, '', rest].join('\r\n')))
  await fc.assert(
    fc.asyncProperty(fc.oneof(request, fc.uint8Array({ maxLength: 200 })), async bytes => {
      expect(await rawBytes(api.url, bytes)).not.toMatch(/^HTTP\/1\.1 5/)
    }),
    { numRuns: 300 },
  )
})
