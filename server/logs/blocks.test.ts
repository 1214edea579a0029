import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createBlocks } from './blocks.ts'

const BLOCK_BYTES = 256 * 1024

test('gives back the bytes it was given, in their order, whatever the sizes and turns', () => {
  const sizes = fc.oneof(fc.nat(200), fc.nat(3 * BLOCK_BYTES))
  fc.assert(
    fc.property(fc.array(fc.record({ bytes: sizes, takes: fc.nat(3) }), { maxLength: 12 }), turns => {
      const blocks = createBlocks()
      const [given, taken]: [Uint8Array[], Uint8Array[]] = [[], []]
      const take = () => void taken.push(Uint8Array.from(blocks.take()))
      for (const [index, { bytes, takes }] of turns.entries()) {
        const piece = Buffer.alloc(bytes, `${index}.`)
        given.push(Uint8Array.from(piece))
        blocks.push(piece)
        piece.fill(0)
        for (let left = takes; left > 0; left--) take()
      }
      while (!blocks.isEmpty) take()
      expect(Buffer.concat(taken).equals(Buffer.concat(given))).toBe(true)
      expect(taken.every(({ byteLength }) => byteLength <= BLOCK_BYTES)).toBe(true)
    }),
    { numRuns: 50 },
  )
})

test('leaves what is being written alone while more comes, and then uses its memory again', () => {
  const blocks = createBlocks()
  const seen = new Set<ArrayBufferLike>()
  for (let round = 0; round < 20; round++) {
    blocks.push(Buffer.alloc(1000, round))
    const writing = blocks.take()
    seen.add(writing.buffer)
    blocks.push(Buffer.alloc(1000, 99))
    expect(Buffer.alloc(1000, round).equals(writing)).toBe(true)
    seen.add(blocks.take().buffer)
  }
  expect(seen.size).toBeLessThanOrEqual(3)
})

test('makes little for a log that says little, and large blocks once one is filled', () => {
  const sizeFor = (bytes: number) => {
    const blocks = createBlocks()
    const seen: number[] = []
    for (let round = 0; round < 4; round++) {
      blocks.push(Buffer.alloc(bytes))
      while (!blocks.isEmpty) seen.push(blocks.take().buffer.byteLength)
    }
    return Math.max(...seen)
  }
  expect([sizeFor(100), sizeFor(100_000)]).toEqual([4096, BLOCK_BYTES])
})
