import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ApiError } from '#shared/contract/index.ts'
import { parseJson, requireType } from './body.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)

describe('parseJson', () => {
  test('gives back any JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 20 }), value => {
        fc.pre(!JSON.stringify(value).includes('__proto__'))
        expect(parseJson(bytes(JSON.stringify(value)))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  test('answers anything at all with a value or with malformed_body', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.string({ unit: 'binary' }).map(bytes)), input => {
        try {
          parseJson(input)
        } catch (error) {
          expect(error).toMatchObject({ code: 'malformed_body' })
        }
      }),
    )
  })

  test.each([
    ['nothing', ''],
    ['half an object', '{"a":'],
    ['two values', '{}{}'],
    ['a comment', '{/**/}'],
    ['NaN', 'NaN'],
    ['a key that changes what an object is', '{"__proto__":{"admin":true}}'],
    ['that key, escaped', '{"\\u005f_proto__":1}'],
    ['that key, deep inside', '{"a":[{"b":{"__proto__":[]}}]}'],
    ['65 levels', nested(65)],
    ['a million levels', nested(1_000_000)],
  ])('refuses %s', (_, text) => expect(() => parseJson(bytes(text))).toThrow(ApiError))

  test('takes 64 levels and the word in a value', () => {
    expect(parseJson(bytes(nested(64)))).toBeInstanceOf(Array)
    expect(parseJson(bytes('{"a":"__proto__"}'))).toEqual({ a: '__proto__' })
  })

  test('refuses bytes that are no UTF-8', () => {
    expect(() => parseJson(new Uint8Array([0x22, 0xff, 0x22]))).toThrow('UTF-8')
  })
})

describe('requireType', () => {
  test.each(['application/json', 'application/json; charset=utf-8', 'Application/JSON ;charset=utf-8'])('takes %s', type =>
    expect(() => requireType({ 'content-type': type }, 'application/json')).not.toThrow(),
  )
  test.each([
    undefined,
    '',
    'text/plain',
    'application/jsonp',
    'text/application/json',
    'multipart/form-data',
    'application/x-www-form-urlencoded',
  ])('refuses %j', type =>
    expect(() => requireType(type === undefined ? {} : { 'content-type': type }, 'application/json')).toThrow(ApiError),
  )
  test('refuses a compressed body', () =>
    expect(() => requireType({ 'content-type': 'application/json', 'content-encoding': 'gzip' }, 'application/json')).toThrow(
      'gzip',
    ))
})
