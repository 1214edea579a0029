import fc from 'fast-check'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { ApiError, operation, operations } from '#shared/contract/index.ts'
import { type RawRequest, validate } from './validate.ts'

const raw = (request: Partial<RawRequest>): RawRequest => ({
  params: {},
  query: [],
  header: () => undefined,
  body: undefined,
  ...request,
})

function refusal(act: () => unknown): ApiError {
  try {
    act()
  } catch (error) {
    if (error instanceof ApiError) return error
  }
  throw new Error('was not refused')
}

const nested = operation({
  summary: '',
  method: 'POST',
  path: '/',
  access: 'open',
  body: z.strictObject({ 'a/b~c': z.array(z.strictObject({ n: z.int() })), other: z.string() }),
  answer: { kind: 'openai' },
  status: [200],
  errors: [],
})

test('gives handlers parsed values with defaults', () => {
  expect(validate(operations.listJobs, raw({ query: new URLSearchParams('active=true&limit=7') }))).toEqual({
    query: { active: true, limit: 7 },
  })
  expect(validate(operations.listJobs, raw({}))).toEqual({ query: { limit: 50 } })
})

test('names every wrong field by a JSON Pointer into the body', () => {
  const { code, extras } = refusal(() => validate(nested, raw({ body: { 'a/b~c': [{ n: 1 }, { n: 'x', m: 1 }], extra: 1 } })))
  expect(code).toBe('invalid_request')
  expect(extras.issues?.map(({ path }) => path).toSorted()).toEqual(['/a~1b~0c/1/m', '/a~1b~0c/1/n', '/extra', '/other'])
})

test('says under which part a wrong parameter or header is', () => {
  const request = raw({ query: new URLSearchParams('limit=0&state=odd&what=1') })
  expect(refusal(() => validate(operations.listJobs, request)).extras.issues?.map(({ path }) => path)).toEqual([
    '/query/limit',
    '/query/state',
    '/query/what',
  ])
  const keyed = raw({ header: () => 'with space', body: { task: 'x' } })
  expect(refusal(() => validate(operations.createJob, keyed)).extras.issues?.map(({ path }) => path)).toEqual([
    '/headers/idempotency-key',
  ])
})

test('refuses parameters given twice, and any where none are taken', () => {
  const twice = refusal(() => validate(operations.listJobs, raw({ query: new URLSearchParams('limit=1&limit=1') })))
  expect(twice.extras.issues).toEqual([{ path: '/query/limit', message: 'given more than once' }])
  const proto = refusal(() => validate(operations.listJobs, raw({ query: [['__proto__', '1']] })))
  expect(proto.extras.issues?.[0]?.path).toBe('/query/__proto__')
  const none = refusal(() => validate(operations.health, raw({ query: [['x', '']] })))
  expect(none.extras.issues?.[0]?.path).toBe('/query/x')
})

test('a path that cannot be one of ours names nothing', () => {
  const { code } = refusal(() => validate(operations.getJob, raw({ params: { id: 'NOT-AN-ID' }, query: [['x', '1']] })))
  expect(code).toBe('not_found')
})

test('thousands of wrong fields and endless names make a short answer', () => {
  const body = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`${i}${'x'.repeat(1000)}`, 1]))
  const { extras, message } = refusal(() => validate(operations.createJob, raw({ body })))
  expect(extras.issues).toHaveLength(100)
  expect(JSON.stringify(extras.issues).length + message.length).toBeLessThan(60_000)
})

test('anything at all is either valid or refused', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...Object.values(operations)),
      fc.anything(),
      fc.array(fc.tuple(fc.string(), fc.string())),
      (op, body, query) => {
        try {
          validate(op, raw({ body, query, params: { id: '0123456789abcd', requestId: 'r', name: 'log.txt' } }))
        } catch (error) {
          expect(error).toBeInstanceOf(ApiError)
        }
      },
    ),
  )
})
