import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anyPiece, anyText } from '../fixture.ts'
import { type Document, lengthOf, offsetAt, parse, positionAt, print, update } from './document.ts'

describe('a document', () => {
  it('is printed as it was, whatever it is', () => {
    fc.assert(
      fc.property(anyText, source => {
        expect(print(parse(source))).toBe(source)
      }),
      { numRuns: 2000 },
    )
  })

  it('that is changed is what it would be if it were read anew', () => {
    const change = fc.record({
      text: fc.oneof(anyPiece, fc.string({ unit: 'binary', maxLength: 6 })),
      from: fc.nat(),
      length: fc.nat({ max: 30 }),
    })
    fc.assert(
      fc.property(anyText, fc.array(change, { minLength: 1, maxLength: 8 }), (source, changes) => {
        let document: Document = parse(source)
        let now = source
        for (const { text: added, from, length } of changes) {
          const start = from % (now.length + 1)
          const end = Math.min(now.length, start + length)
          now = now.slice(0, start) + added + now.slice(end)
          document = update(document, { start, end, text: added }).document
          expect(document).toEqual(parse(now))
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('that gets a line feed behind a carriage return joins both to one end', () => {
    expect(update(parse('a\rb'), { start: 2, end: 2, text: '\n' }).document).toEqual(parse('a\r\nb'))
    expect(update(parse('a\rb\nc'), { start: 2, end: 3, text: '' }).document).toEqual(parse('a\r\nc'))
  })

  it('has a position for every offset, and the offset for every position', () => {
    fc.assert(
      fc.property(anyText, source => {
        const document = parse(source)
        for (let offset = 0; offset <= lengthOf(document); offset++) {
          const position = positionAt(document, offset)
          const back = offsetAt(document, position)
          // Inside the end of a line there is no position of its own.
          expect(/^[\r\n]*$/.test(source.slice(back, offset))).toBe(true)
        }
      }),
    )
  })
})

describe('a change', () => {
  const lines = Array.from(
    { length: 10_000 },
    (_, index) => `- [ ] T${String(index).padStart(4, '0')} do it in src/file-${index}.ts`,
  )
  const large = parse(lines.join('\n'))
  const at = offsetAt(large, { line: 5_000, character: 20 })

  it('of one line reads one line of ten thousand', () => {
    expect(update(large, { start: at, end: at, text: 'x' }).linesRead).toBe(1)
  })

  it('that splits a line reads both halves', () => {
    expect(update(large, { start: at, end: at, text: '\n' }).linesRead).toBeLessThanOrEqual(3)
  })

  it('that opens a block reads what is in it, and no more once it is closed', () => {
    const start = offsetAt(large, { line: 5_000, character: 0 })
    const opened = update(large, { start, end: start, text: '```\n' })
    expect(opened.linesRead).toBe(5_001)
    const end = offsetAt(opened.document, { line: 5_003, character: 0 })
    const closed = update(opened.document, { start: end, end, text: '```\n' })
    expect(closed.linesRead).toBe(4_999)
    const inside = offsetAt(closed.document, { line: 5_001, character: 3 })
    expect(update(closed.document, { start: inside, end: inside, text: 'x' }).linesRead).toBe(1)
  })
})
