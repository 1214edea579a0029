import fc from 'fast-check'
import { expect, test } from 'vitest'
import { blobsWith, readBlobs } from './blobs.ts'
import type { Git, GitOptions } from './git.ts'

/** Git that prints the blobs of `git cat-file --batch`, cut into pieces of any size. */
function printing(blobs: readonly Uint8Array[], cuts: readonly number[]): Git {
  const output = Buffer.concat(
    blobs.flatMap((blob, index) => [Buffer.from(`id${index} blob ${blob.length}\n`), blob, Buffer.from('\n')]),
  )
  const unused = () => Promise.reject(new Error('not used'))
  return {
    run: unused,
    text: unused,
    async *stream() {
      let start = 0
      for (const cut of [...cuts.map(each => each % (output.length + 1)).sort((a, b) => a - b), output.length]) {
        if (cut > start) yield output.subarray(start, cut)
        start = Math.max(start, cut)
      }
    },
  }
}
const options: GitOptions = { trust: 'none' }
const blob = fc.uint8Array({ maxLength: 40, max: 12 })

test('blobs are read whole, however the output is cut', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(blob, { minLength: 1 }), fc.array(fc.nat(500)), async (blobs, cuts) => {
      const read = new Map<string, Buffer>()
      const ended: string[] = []
      for await (const { id, bytes, last } of readBlobs(
        printing(blobs, cuts),
        options,
        blobs.map((_, index) => `id${index}`),
      )) {
        read.set(id, Buffer.concat([read.get(id) ?? Buffer.alloc(0), bytes]))
        if (last) ended.push(id)
      }
      expect(ended).toEqual(blobs.map((_, index) => `id${index}`))
      expect(blobs.map((_, index) => [...(read.get(`id${index}`) ?? [])])).toEqual(blobs.map(each => [...each]))
    }),
  )
})

test('a needle is found across pieces, and not across blobs', async () => {
  const slice = fc.tuple(fc.nat(100), fc.nat(40), fc.integer({ min: 1, max: 4 }))
  await fc.assert(
    fc.asyncProperty(
      fc.array(blob, { minLength: 1 }),
      fc.array(fc.nat(500)),
      fc.array(slice, { minLength: 1, maxLength: 3 }),
      async (blobs, cuts, slices) => {
        const ids = blobs.map((_, index) => `id${index}`)
        const all = Buffer.concat(blobs)
        // Pieces of what is there, some of them across the border of two blobs.
        const needles = slices
          .map(([from, offset, length]) => all.subarray((from + offset) % (all.length + 1)).subarray(0, length))
          .filter(each => each.length > 0)
        if (needles.length === 0) return
        const found = await blobsWith(readBlobs(printing(blobs, cuts), options, ids), needles)
        expect([...found].sort()).toEqual(
          ids.filter((_, index) => needles.some(each => Buffer.from(blobs[index] ?? []).includes(each))).sort(),
        )
      },
    ),
  )
})
