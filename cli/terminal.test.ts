import { describe, expect, test } from 'vitest'
import { createTerminal, wantsColour } from './terminal.ts'
import { displayWidth, truncate } from './width.ts'

const stream = (isTTY: boolean, failure?: Error) => {
  const written: string[] = []
  return {
    isTTY,
    columns: 40,
    written,
    write(data: string | Uint8Array, done: (error?: Error | null) => void) {
      written.push(String(data))
      done(failure)
      return true
    },
  }
}

describe('colour', () => {
  test.each<[tty: boolean, env: Record<string, string>, colour: boolean]>([
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: '1' }, false],
    [true, { NO_COLOR: '' }, true],
    [false, { FORCE_COLOR: '1' }, true],
    [true, { FORCE_COLOR: '0' }, false],
    [true, { NO_COLOR: '1', FORCE_COLOR: '1' }, false],
    [true, { TERM: 'dumb' }, false],
  ])('terminal %s with %j', (tty, env, colour) => {
    expect(wantsColour(stream(tty), env)).toBe(colour)
    const { paint } = createTerminal(stream(tty), env)
    expect(paint('red', 'x')).toBe(colour ? '\u001B[31mx\u001B[39m' : 'x')
  })
})

test('a reader that went away is a failure with an exit code of its own', async () => {
  const terminal = createTerminal(stream(false, Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })), {})
  await expect(terminal.line('x')).rejects.toMatchObject({ exitCode: 141 })
})

describe('width', () => {
  test.each([
    ['abc', 3],
    ['漢字', 4],
    ['👩‍💻', 2],
    ['e\u0301', 1],
    ['✓', 1],
    ['', 0],
  ])('%s takes %d columns', (text, columns) => expect(displayWidth(text)).toBe(columns))

  test.each([
    ['abcdef', 4, 'abc…'],
    ['abcd', 4, 'abcd'],
    ['漢字漢字', 5, '漢字…'],
    ['漢字漢字', 4, '漢…'],
    ['x', 0, ''],
  ])('%s in %d columns', (text, columns, shown) => expect(truncate(text, columns)).toBe(shown))
})
