import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { applySgr, segmentsOf } from './ansi.ts'
import { LONGEST_LINE } from './scanner.ts'
import { BLOCK_BYTES, createLogStore, type LogStore } from './store.ts'

const encoder = new TextEncoder()
const all = (store: LogStore) => Array.from({ length: store.count }, (_, line) => store.text(line))
function stored(...parts: (string | Uint8Array)[]): LogStore {
  const store = createLogStore({ maxBlocks: 64 })
  for (const part of parts) store.append(typeof part === 'string' ? encoder.encode(part) : part)
  return store
}

describe('lines', () => {
  it('end after LF, CR LF and CR', () => {
    expect(all(stored('a\nb\r\nc\rd'))).toEqual(['a', 'b', 'c', 'd'])
    expect(all(stored('10%\r20%\r100%\n'))).toEqual(['10%', '20%', '100%'])
    expect(all(stored('a\n\n\nb'))).toEqual(['a', '', '', 'b'])
  })
  it('are none in an empty log, and one before its end has come', () => {
    expect(stored().count).toBe(0)
    expect(all(stored('a'))).toEqual(['a'])
    expect(all(stored('a\n'))).toEqual(['a'])
  })
  it('are broken when they are long, between characters', () => {
    const store = stored('ä'.repeat(LONGEST_LINE))
    expect(store.count).toBe(2)
    expect(all(store).join('')).toBe('ä'.repeat(LONGEST_LINE))
    expect(store.texts(0, 2)).toEqual(all(store))
  })
  it('are the same however the bytes come', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', 'ü', '\n', '\r', '\u001B[31m', '\u001B[0m', '\u001B]0;t\u0007', '🙂'),
      maxLength: 60,
    })
    fc.assert(
      fc.property(text, fc.array(fc.nat(200)), (text, cuts) => {
        const bytes = encoder.encode(text)
        const places = [0, ...cuts.map(cut => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length]
        const pieces = places.slice(1).map((place, i) => bytes.slice(places[i], place))
        const [whole, cut] = [stored(bytes), stored(...pieces)]
        expect(all(cut)).toEqual(all(whole))
        expect(all(cut).map((_, i) => cut.styleAt(i))).toEqual(all(whole).map((_, i) => whole.styleAt(i)))
        expect(whole.bytes(0, whole.count) ?? new Uint8Array()).toEqual(bytes)
        expect(whole.texts(0, whole.count)).toEqual(all(whole))
      }),
    )
  })
})

it('tells each line the style that the ones before it left', () => {
  const piece = fc.constantFrom(
    'a',
    '\n',
    '\u001B[31m',
    '\u001B[1;4m',
    '\u001B[0m',
    '\u001B[48;5;9m',
    '\u001B[2K',
    '\u001B]8;;x\u0007',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), pieces => {
      const store = stored(pieces.join(''))
      let style = 0
      for (let line = 0; line < store.count; line++) {
        expect(store.styleAt(line)).toBe(style)
        const text = store.text(line) ?? ''
        for (const [, parameters] of text.matchAll(/\u001B\[([\d;:]*)m/g)) style = applySgr(style, parameters ?? '')
        expect(segmentsOf(text, store.styleAt(line)).at(-1)?.style ?? 0).toBeGreaterThanOrEqual(0)
      }
    }),
  )
})

describe('memory', () => {
  const line = `${'x'.repeat(63)}\n`
  const block = encoder.encode(line.repeat(BLOCK_BYTES / 64))
  const large = () => {
    const store = createLogStore({ maxBlocks: 2 })
    for (let i = 0; i < 4; i++) store.append(block)
    return store
  }
  it('is bounded: old blocks are let go, and named when they are needed', () => {
    const store = large()
    expect(store.count).toBe((4 * BLOCK_BYTES) / 64)
    expect(store.text(0)).toBeNull()
    expect(store.missing(0, 10)).toEqual([0])
    expect(store.text(store.count - 1)).toBe('x'.repeat(63))
  })
  it('takes a block back, and lets another go for it', () => {
    const store = large()
    store.restore(0, block)
    expect(store.text(0)).toBe('x'.repeat(63))
    expect(store.missing(0, store.count)).toHaveLength(2)
  })
  it('never lets go of the block that is being written', () => {
    const store = large()
    store.append(encoder.encode('last'))
    store.restore(0, block)
    store.restore(1, block)
    expect(store.text(store.count - 1)).toBe('last')
    store.append(encoder.encode(' one'))
    expect(store.text(store.count - 1)).toBe('last one')
  })
  it('joins a line that lies in two blocks', () => {
    const store = stored(`${'y'.repeat(10)}\n`)
    store.append(encoder.encode(line.repeat(BLOCK_BYTES / 64)))
    const across = (BLOCK_BYTES - 11) / 64
    expect(store.text(Math.floor(across) + 1)).toBe('x'.repeat(63))
  })
})
