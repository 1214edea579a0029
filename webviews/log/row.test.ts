import fc from 'fast-check'
import { expect, it } from 'vitest'
import { cut } from './row.ts'
import { rangesOf } from './search.ts'

it('marks a match that lies in two styles in both', () => {
  const marks = rangesOf('abcd', 'bc')
  expect(cut('ab', 0, marks)).toEqual([
    { text: 'a', isMarked: false },
    { text: 'b', isMarked: true },
  ])
  expect(cut('cd', 2, marks)).toEqual([
    { text: 'c', isMarked: true },
    { text: 'd', isMarked: false },
  ])
})

it('leaves nothing out, wherever a line is cut', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 20 })
  fc.assert(
    fc.property(text, text, fc.nat(20), (line, query, place) => {
      const marks = rangesOf(line, query)
      const parts = [...cut(line.slice(0, place), 0, marks), ...cut(line.slice(place), Math.min(place, line.length), marks)]
      expect(parts.map(part => part.text).join('')).toBe(line)
      const marked = parts.reduce((sum, part) => sum + (part.isMarked ? part.text.length : 0), 0)
      expect(marked).toBe(marks.reduce((sum, [from, to]) => sum + to - from, 0))
    }),
  )
})
