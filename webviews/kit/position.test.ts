import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JobEvent } from '#shared/model/index.ts'
import type { Item } from './host.ts'
import { createPosition } from './position.ts'

const event = (n: number, seq = n): Item => ({
  type: 'event',
  event: { seq, jobId: 'j', n, at: '', body: { type: 'warning', code: 'c', detail: '' } } as JobEvent,
})

describe('events of a job', () => {
  it('are taken in order, once', () => {
    const position = createPosition({ name: 'job', jobId: 'j' }, null)
    expect([1, 2, 2, 1, 3].map(n => position.take(event(n), n)).map(item => (item === 'seen' ? 'seen' : 'new'))).toEqual([
      'new',
      'new',
      'seen',
      'seen',
      'new',
    ])
    expect(position.cursor).toBe(3)
  })
  it('tell when one is missing, and stay where they are', () => {
    const position = createPosition({ name: 'job', jobId: 'j' }, 4)
    expect(position.take(event(6), 6)).toBe('gap')
    expect(position.cursor).toBe(4)
  })
})

it('takes events of a node that are not numbered without gaps', () => {
  const position = createPosition({ name: 'jobs' }, null)
  position.begin(7)
  expect(position.take(event(1, 7), 7)).toBe('seen')
  expect(position.take(event(1, 12), 12)).not.toBe('gap')
  expect(position.cursor).toBe(12)
})

it('gives every byte of a log once, however connections break and overlap', () => {
  const bytes = Uint8Array.from({ length: 200 }, (_, i) => i)
  const pieces = fc.array(fc.tuple(fc.nat(200), fc.integer({ min: 1, max: 60 })), { maxLength: 60 })
  fc.assert(
    fc.property(pieces, some => {
      const position = createPosition({ name: 'log', jobId: 'j' }, 0)
      const got: number[] = []
      for (const [offset, length] of some) {
        const item = position.take({ type: 'log', offset, bytes: bytes.subarray(offset, offset + length) }, null)
        if (item === 'gap') expect(offset).toBeGreaterThan(got.length)
        else if (item !== 'seen' && item.type === 'log') got.push(...item.bytes)
      }
      expect(got).toEqual([...bytes.subarray(0, got.length)])
      expect(position.cursor).toBe(got.length)
    }),
  )
})
