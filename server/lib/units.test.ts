import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatBytes, formatDuration, parseBytes, parseDuration } from './units.ts'

describe('bytes', () => {
  test.each([
    ['0', 0],
    ['1024', 1024],
    ['1k', 1024],
    ['1.5 KiB', 1536],
    ['20G', 20 * 2 ** 30],
    ['2TB', 2 * 2 ** 40],
    ['', null],
    ['-1', null],
    ['5 apples', null],
    ['1e3', null],
    ['99999999P', null],
  ])('%j', (text, bytes) => expect(parseBytes(text)).toBe(bytes))

  test.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [20 * 2 ** 30, '20 GiB'],
  ])('%d is shown as %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text))

  test('any text is an amount or null, never something else', () => {
    fc.assert(
      fc.property(fc.string(), text => {
        const bytes = parseBytes(text)
        expect(bytes === null || (Number.isSafeInteger(bytes) && bytes >= 0)).toBe(true)
      }),
    )
  })
})

describe('durations', () => {
  test.each([
    ['90s', 90_000],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['250ms', 250],
    ['2w', 14 * 24 * 3_600_000],
    ['30', null],
    ['', null],
    ['5 minutes', null],
    ['-1s', null],
  ])('%j', (text, ms) => expect(parseDuration(text)).toBe(ms))

  test.each([
    [0, '0ms'],
    [1234, '1.2s'],
    [12_900, '12s'],
    [200_000, '3m 20s'],
    [3_600_000, '1h'],
    [100_000_000, '1d 3h'],
    [-5, '0ms'],
  ])('%d ms is shown as %s', (ms, text) => expect(formatDuration(ms)).toBe(text))
})
