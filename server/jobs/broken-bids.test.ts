import { expect, test } from 'vitest'
import { virtualClock } from '#test/fakes/clock.ts'
import { createBrokenBids } from './broken-bids.ts'

const [JOB, NODE, OTHER] = ['0123456789abcd', 'a'.repeat(26), 'b'.repeat(26)] as const

test('a node that gave a job back is asked again later, and later each time, up to two minutes', () => {
  const clock = virtualClock()
  const broken = createBrokenBids(clock)
  expect(broken.why(JOB, NODE)).toBeNull()
  const pauses = Array.from({ length: 10 }, () => {
    broken.add(JOB, NODE)
    let ms = 0
    for (; broken.why(JOB, NODE) !== null; ms += 500) clock.advance(500)
    return ms
  })
  expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 120_000, 120_000, 120_000])
})

test('no other node and no other job is held up, and an ended job is forgotten', () => {
  const broken = createBrokenBids(virtualClock())
  broken.add(JOB, NODE)
  expect([broken.why(JOB, OTHER), broken.why('0123456789abce', NODE)]).toEqual([null, null])
  expect(broken.why(JOB, NODE)).toContain('gave it back')
  broken.forget(JOB)
  expect(broken.why(JOB, NODE)).toBeNull()
})
