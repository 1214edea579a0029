import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeLogFrame, logFrameHeader } from './stream.ts'

describe('log frames', () => {
  it('carry subscription, offset and bytes unchanged', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 0xffff_ffff }),
        fc.maxSafeNat(),
        fc.uint8Array({ maxLength: 500 }),
        (subscription, offset, bytes) => {
          const frame = new Uint8Array([...logFrameHeader(subscription, offset), ...bytes])
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
