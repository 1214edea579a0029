import { expect, test } from 'vitest'
import { giveBack } from './give-back.ts'

test('gives back what has its memory for itself, and leaves alone what is part of more', () => {
  const own = new Uint8Array(100_000).fill(1)
  const [part, shared] = [own.subarray(10), Buffer.from('in the pool of small ones')]
  giveBack(part)
  giveBack(shared)
  giveBack(new Uint8Array(new SharedArrayBuffer(8)))
  expect({ own: own.byteLength, part: part[0], shared: String(shared) }).toEqual({
    own: 100_000,
    part: 1,
    shared: 'in the pool of small ones',
  })
  giveBack(own)
  expect({ own: own.byteLength, part: part.byteLength }).toEqual({ own: 0, part: 0 })
})
