import { expect, test } from 'vitest'
import { createRateLimit } from './rate-limit.ts'

const at = () => {
  let now = 0
  return { monotonic: () => now, pass: (ms: number) => (now += ms) }
}

test('a caller may spend a minute’s worth at once, then at the even rate', () => {
  const clock = at()
  const limit = createRateLimit(60, clock)
  for (let i = 0; i < 60; i++) expect(limit.take('a')).toBe(0)
  expect(limit.take('a')).toBe(1000)
  clock.pass(999)
  expect(limit.take('a')).toBe(1)
  clock.pass(1)
  expect(limit.take('a')).toBe(0)
  expect(limit.take('a')).toBe(1000)
})

test('callers do not share an allowance', () => {
  const limit = createRateLimit(1, at())
  expect(limit.take('a')).toBe(0)
  expect(limit.take('a')).toBe(60_000)
  expect(limit.take('b')).toBe(0)
})

test('callers that went quiet are forgotten, busy ones are not', () => {
  const clock = at()
  const limit = createRateLimit(60, clock)
  for (let i = 0; i < 1000; i++) limit.take(`once-${i}`)
  expect(limit.size).toBe(1000)
  clock.pass(59_000)
  for (let i = 0; i < 30; i++) limit.take('busy')
  clock.pass(1000)
  limit.take('new')
  expect(limit.size).toBe(2)
})

test('waiting never grants more than a minute’s worth', () => {
  const clock = at()
  const limit = createRateLimit(2, clock)
  clock.pass(3_600_000)
  expect([limit.take('a'), limit.take('a'), limit.take('a')]).toEqual([0, 0, 30_000])
})
