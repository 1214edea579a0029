import { expect, test } from 'vitest'
import { virtualClock } from '#test/fakes/clock.ts'
import { createSettledAhead } from './settled-ahead.ts'

test('knows what was noted for as long as an award could come, and no more than it can hold', () => {
  const clock = virtualClock()
  const ahead = createSettledAhead({ clock, ttlMs: 1_000 })
  ahead.note('a')
  expect([ahead.has('a'), ahead.has('b')]).toEqual([true, false])
  clock.advance(600)
  ahead.note('a')
  clock.advance(600)
  expect(ahead.has('a')).toBe(true)
  clock.advance(400)
  expect(ahead.has('a')).toBe(false)
  for (let n = 0; n <= 1_000; n++) ahead.note(`${n}`)
  expect([ahead.has('0'), ahead.has('1'), ahead.has('1000')]).toEqual([false, true, true])
})
