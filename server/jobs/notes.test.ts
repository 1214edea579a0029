import fc from 'fast-check'
import { expect, it } from 'vitest'
import { virtualClock } from '#test/fakes/clock.ts'
import { createNotes } from './notes.ts'

it('tells the first at once, then the latest of each pause, and what is left at the end', () => {
  const clock = virtualClock()
  const told: string[] = []
  const notes = createNotes(clock, line => told.push(line))
  for (const layer of ['pulls node:24:  1 %', 'pulls node:24:\n 50 %', 'pulls node:24: 90 %']) notes.add(layer)
  expect(told).toEqual(['pulls node:24: 1 %'])
  clock.advance(2_000)
  expect(told).toEqual(['pulls node:24: 1 %', 'pulls node:24: 90 %'])
  notes.add('starts')
  notes.close()
  expect(told.slice(2)).toEqual(['starts'])
})

it('never says the same twice in a row, keeps every line to one, and always ends with the last', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.string({ maxLength: 8 }), fc.nat(3_000))), said => {
      const clock = virtualClock()
      const told: string[] = []
      const notes = createNotes(clock, line => told.push(line))
      for (const [text, ms] of said) {
        notes.add(text)
        clock.advance(ms)
      }
      notes.close()
      expect(told.filter((line, index) => line === told[index - 1] || /[\r\n]/.test(line))).toEqual([])
      expect(told.at(-1)).toBe(said.map(([text]) => text.replaceAll(/\s+/g, ' ').trim()).findLast(text => text !== ''))
    }),
  )
})
