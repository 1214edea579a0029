import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { JobId } from '#shared/model/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { createJobIds, newToken } from './ids.ts'

describe('job ids', () => {
  it('fit their schema at any time and with any random bytes', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date(0), max: new Date('2200-01-01'), noInvalidDate: true }),
        fc.uint8Array({ minLength: 8, maxLength: 8 }),
        (date, bytes) => {
          const newId = createJobIds(virtualClock(date.getTime()), () => bytes)
          expect(JobId.safeParse(newId()).success).toBe(true)
        },
      ),
    )
  })

  it('sort by the second they were made in, so that the index grows at its end', () => {
    const clock = virtualClock()
    const newId = createJobIds(clock)
    const ids: string[] = []
    for (let second = 0; second < 100; second++) {
      ids.push(newId())
      clock.advance(1000)
    }
    expect([...ids].sort()).toEqual(ids)
  })

  it('differ within one second', () => {
    const newId = createJobIds(virtualClock())
    expect(new Set(Array.from({ length: 10_000 }, newId)).size).toBe(10_000)
  })
})

it('tokens have 256 bits and fit a header', () => {
  expect(newToken()).toMatch(/^[A-Za-z0-9_-]{43}$/)
  expect(newToken()).not.toBe(newToken())
})
