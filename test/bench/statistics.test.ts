import { expect, test } from 'vitest'
import { estimateMedian } from './statistics.ts'

test('takes the middle of an odd, and the mean of the two middles of an even number of samples', () => {
  expect(estimateMedian([3, 1, 2]).median).toBe(2)
  expect(estimateMedian([4, 1, 2, 3]).median).toBe(2.5)
})

// The textbook ranks for 95 %: 10 samples leave out the smallest and the largest, 20 the five outermost on each side.
test.each([
  [5, 0],
  [6, 0],
  [10, 1],
  [20, 5],
])('with %i samples the interval leaves out %i on each side', (n, out) => {
  const { low, high, confidence } = estimateMedian(Array.from({ length: n }, (_, index) => index))
  expect([low, high]).toEqual([out, n - 1 - out])
  if (n >= 6) expect(confidence).toBeGreaterThanOrEqual(0.95)
})

test('refuses to make a median of nothing', () => {
  expect(() => estimateMedian([])).toThrow('needs samples')
})
