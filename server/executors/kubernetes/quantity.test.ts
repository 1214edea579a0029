import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatBytes, formatCores, parseQuantity, QuantityError } from './quantity.ts'

describe('quantities', () => {
  test.each([
    ['0', 0],
    ['1', 1],
    ['500m', 0.5],
    ['100n', 1e-7],
    ['.5', 0.5],
    ['1.', 1],
    ['+2', 2],
    ['1.5Gi', 1.5 * 2 ** 30],
    ['16384Mi', 2 ** 34],
    ['1e3', 1000],
    ['1E3', 1000],
    ['1E', 1e18],
    ['12e-1', 1.2],
    ['4k', 4000],
  ])('%s is %d', (text, value) => expect(parseQuantity(text)).toBeCloseTo(value, 9))

  test.each([
    ['1e9Ki', 'there is no unit "e9Ki"'],
    ['-1', 'below zero'],
    ['', 'does not begin with a number'],
    [' 1', 'does not begin with a number'],
    ['1 ', 'there is no unit " "'],
    ['1K', 'there is no unit "K"'],
    ['1ki', 'there is no unit'],
    ['1GiB', 'there is no unit'],
    ['1e', 'there is no unit'],
    ['1e999', 'too large'],
    ['0x10', 'there is no unit'],
    ['1,5', 'there is no unit'],
    ['Infinity', 'does not begin'],
    ['NaN', 'does not begin'],
    ['1\n', 'there is no unit'],
    ['9'.repeat(100), 'too long'],
    ['99999999999Ei', 'too large'],
  ])('%j is refused: %s', (text, why) => {
    expect(() => parseQuantity(text)).toThrow(QuantityError)
    expect(() => parseQuantity(text)).toThrow(why)
  })

  test('bytes come back as they went', () => {
    fc.assert(fc.property(fc.maxSafeNat(), bytes => parseQuantity(formatBytes(bytes)) === bytes))
    expect(formatBytes(2 ** 33)).toBe('8Gi')
    expect(formatBytes(2 ** 30 + 2 ** 20)).toBe('1025Mi')
    expect(formatBytes(1000)).toBe('1000')
    expect(formatBytes(0)).toBe('0')
  })

  test('processors come back to the thousandth, never fewer', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 ** 7 }), thousandths => {
        expect(parseQuantity(formatCores(thousandths / 1000))).toBeCloseTo(thousandths / 1000, 6)
      }),
    )
    expect(formatCores(0.5)).toBe('500m')
    expect(formatCores(2)).toBe('2')
    expect(formatCores(0.0001)).toBe('1m')
  })

  test('whatever is given is read or refused, and never below zero', () => {
    const some = fc.oneof(fc.string(), fc.stringMatching(/^[+-]?[0-9.]{1,8}[a-zA-Z0-9]{0,4}$/))
    fc.assert(
      fc.property(some, text => {
        try {
          const value = parseQuantity(text)
          return Number.isFinite(value) && value >= 0
        } catch (error) {
          return error instanceof QuantityError
        }
      }),
    )
  })
})
