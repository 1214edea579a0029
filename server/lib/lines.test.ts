import fc from 'fast-check'
import { expect, test } from 'vitest'
import { linesOf } from './lines.ts'

const bounds = { mostCharacters: 1_000, tooLong: 'too long' }
async function* inPieces(bytes: Uint8Array, sizes: readonly number[]) {
  let at = 0
  for (const size of sizes) {
    yield bytes.subarray(at, at + size)
    at += size
  }
  yield bytes.subarray(at)
}
async function all(stream: AsyncIterable<Uint8Array>, andRest = false): Promise<string[]> {
  const lines: string[] = []
  for await (const line of linesOf(stream, { ...bounds, andRest })) lines.push(line)
  return lines
}

test('lines are the same however the bytes come', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ unit: 'grapheme', maxLength: 9 })), fc.array(fc.nat(5)), async (parts, sizes) => {
      const text = parts.join('\n')
      const bytes = new TextEncoder().encode(text)
      const lines = text.split('\n')
      const rest = lines.pop()
      expect(await all(inPieces(bytes, sizes))).toEqual(lines)
      expect(await all(inPieces(bytes, sizes), true)).toEqual(rest ? [...lines, rest] : lines)
    }),
  )
})

test('a line without an end is not held for ever', async () => {
  async function* endless() {
    for (;;) yield new TextEncoder().encode('x'.repeat(300))
  }
  await expect(all(endless())).rejects.toThrow('too long')
})
