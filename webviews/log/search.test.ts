import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { plainText } from './ansi.ts'
import { neighbour, rangesOf, searchStep } from './search.ts'
import { BLOCK_BYTES, createLogStore } from './store.ts'

const encoder = new TextEncoder()
function stored(text: string, maxBlocks = 8) {
  const store = createLogStore({ maxBlocks })
  store.append(encoder.encode(text))
  return store
}

describe('a step of a search', () => {
  it('finds lines without regard to case, as they are shown', () => {
    const store = stored('one\nTWO\n\u001B[31mt\u001B[0mwo\nthree\n')
    expect(searchStep(store, 'Two', 0, store.count)).toEqual({ done: 4, found: [1, 2], missing: [] })
  })
  it('finds the same in many lines at once as in one after another', () => {
    const unit = fc.constantFrom('a', 'B', 'ß', '\n', '\r', '\r\n', '\u001B[31m', '\u001B[2K', '🙂', 'x'.repeat(3000))
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 40 }), fc.constantFrom('a', 'ab', 'SS', 'xx'), (text, query) => {
        const store = stored(text)
        const lines = Array.from({ length: store.count }, (_, line) => plainText(store.text(line) ?? '').toLowerCase())
        const found = lines.flatMap((line, at) => (line.includes(query.toLowerCase()) ? [at] : []))
        expect(searchStep(store, query, 0, store.count).found).toEqual(found)
      }),
    )
  })
  it('goes so far and no further at once', () => {
    const store = stored('a\n'.repeat(10_000))
    expect(searchStep(store, 'a', 0, store.count).done).toBeLessThan(10_000)
  })
  it('says which blocks it needs', () => {
    const store = stored(`${'x'.repeat(63)}\n`.repeat((4 * BLOCK_BYTES) / 64), 2)
    expect(searchStep(store, 'x', 0, store.count)).toEqual({ done: 0, found: [], missing: [0] })
  })
})

it('marks every place in a line', () => {
  expect(rangesOf('aXaxA', 'ax')).toEqual([
    [0, 2],
    [2, 4],
  ])
  expect(rangesOf('a', '')).toEqual([])
  expect(rangesOf('İstanbul', 'i')).toEqual([])
})

it('goes to the next and the one before, around the end', () => {
  const matches = [3, 7, 9]
  expect([neighbour(matches, 3, 1), neighbour(matches, 9, 1), neighbour(matches, 0, 1)]).toEqual([1, 0, 0])
  expect([neighbour(matches, 7, -1), neighbour(matches, 3, -1), neighbour(matches, 8, -1)]).toEqual([0, 2, 1])
  expect(neighbour([], 0, 1)).toBe(-1)
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(50), { minLength: 1 }), fc.nat(50), (some, line) => {
      const sorted = some.toSorted((a, b) => a - b)
      expect(sorted[neighbour(sorted, line, 1)]).toBe(sorted.find(match => match > line) ?? sorted[0])
      expect(sorted[neighbour(sorted, line, -1)]).toBe(sorted.findLast(match => match < line) ?? sorted.at(-1))
    }),
  )
})
