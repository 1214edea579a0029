import { Readable } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MAX_LINE } from './inside/protocol.ts'
import { lines } from './lines.ts'

async function split(chunks: readonly Uint8Array[]): Promise<string[]> {
  const all: string[] = []
  for await (const line of lines(Readable.from(chunks))) all.push(line)
  return all
}

describe('lines of a stream', () => {
  it('are the same however the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 9 }), async (text, size) => {
        const bytes = Buffer.from(text)
        const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
          bytes.subarray(at * size, (at + 1) * size),
        )
        const expected = text.split('\n')
        if (expected.at(-1) === '') expected.pop()
        expect(await split(chunks)).toEqual(expected)
      }),
    )
  })

  it('come in pieces when they are too long, and none is lost', async () => {
    const chunk = Buffer.alloc(100_000, 'x')
    const all = await split([...Array.from({ length: 50 }, () => chunk), Buffer.from('\nend')])
    expect(Math.max(...all.map(({ length }) => length))).toBeLessThan(MAX_LINE + chunk.length + 1)
    expect(all.join('')).toBe(`${'x'.repeat(5_000_000)}end`)
  })
})
