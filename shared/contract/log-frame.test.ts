import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeLogFrame, LOG_HEADER_BYTES, writeLogHeader } from './log-frame.ts'

describe('log frames', () => {
  it('carry subscription, offset and bytes unchanged', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 0xffff_ffff }),
        fc.maxSafeNat(),
        fc.uint8Array({ maxLength: 500 }),
        (subscription, offset, bytes) => {
          const frame = new Uint8Array([...new Uint8Array(LOG_HEADER_BYTES), ...bytes])
          writeLogHeader(frame, subscription, offset)
          expect(decodeLogFrame(frame)).toEqual({ subscription, offset, bytes })
        },
      ),
    )
  })

  it('are refused when they are too short or of another kind', () => {
    expect(() => decodeLogFrame(new Uint8Array(15))).toThrow('not a log frame')
    expect(() => decodeLogFrame(new Uint8Array(16))).toThrow('not a log frame')
  })
})
