import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { applySgr, backgroundOf, FLAGS, foregroundOf, plainText, rgbOf, segmentsOf } from './ansi.ts'

const E = '\u001B['

describe('styles', () => {
  it('reads colours of 16, 256 and 16 million, and flags', () => {
    expect(foregroundOf(applySgr(0, '31'))).toBe(1)
    expect(foregroundOf(applySgr(0, '97'))).toBe(15)
    expect(backgroundOf(applySgr(0, '38;5;200;48;5;17'))).toBe(17)
    expect(foregroundOf(applySgr(0, '38;2;255;0;0'))).toBe(196)
    expect(foregroundOf(applySgr(0, '38:2:128:128:128'))).toBe(244)
    expect(applySgr(0, '1;4') & (FLAGS.bold | FLAGS.underline)).toBe(FLAGS.bold | FLAGS.underline)
  })
  it('takes back one thing at a time, and all of it', () => {
    const all = applySgr(0, '1;2;3;4;7;9;31;42')
    expect(applySgr(all, '22')).toBe(all & ~(FLAGS.bold | FLAGS.dim))
    expect(foregroundOf(applySgr(all, '39'))).toBeNull()
    expect(backgroundOf(applySgr(all, '39'))).toBe(2)
    expect(applySgr(all, '')).toBe(0)
    expect(applySgr(all, '0')).toBe(0)
  })
  it('packs anything into its 24 bits', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 24 - 1), fc.string({ unit: fc.constantFrom(...'0123456789;:') }), (style, parameters) => {
        const next = applySgr(style, parameters)
        expect(next).toBeGreaterThanOrEqual(0)
        expect(next).toBeLessThan(2 ** 24)
      }),
    )
  })
  it('maps the palette to what xterm shows', () => {
    expect(rgbOf(16)).toEqual([0, 0, 0])
    expect(rgbOf(231)).toEqual([255, 255, 255])
    expect(rgbOf(196)).toEqual([255, 0, 0])
    expect(rgbOf(232)).toEqual([8, 8, 8])
  })
})

describe('lines', () => {
  it('are cut where the style changes', () => {
    expect(segmentsOf(`a${E}1mb${E}0mc`, 0)).toEqual([
      { text: 'a', style: 0 },
      { text: 'b', style: FLAGS.bold },
      { text: 'c', style: 0 },
    ])
  })
  it('begin with the style that they are given', () => {
    expect(segmentsOf('a', FLAGS.dim)).toEqual([{ text: 'a', style: FLAGS.dim }])
  })
  it('show nothing that is no text, whatever comes', () => {
    const nasty = fc.string({
      unit: fc.constantFrom('\u001B', '[', ']', '3', '1', ';', 'm', 'H', '\u0007', '\u202E', 'x', '\\', 'P'),
    })
    fc.assert(
      fc.property(nasty, line => {
        const shown = segmentsOf(line, 0)
          .map(({ text }) => text)
          .join('')
        expect(shown).toMatch(/^[\t\x20-\x7E]*$/)
        expect(plainText(line)).toBe(shown)
      }),
    )
  })
})
