import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSanitizer, sanitizeLine, sanitizeTerminal } from './sanitize.ts'

const ESC = '\u001B'
const coloured = (text: string) => sanitizeTerminal(text, { colour: true })

/** Text as a hostile program writes it: words, controls, and the beginnings of sequences of every kind. */
const hostile = fc
  .array(
    fc.oneof(
      fc.string(),
      fc.constantFrom(
        'ok ',
        '\n',
        '\r',
        '\r\n',
        '\b',
        '\u0007',
        ESC,
        `${ESC}[`,
        `${ESC}]0;`,
        `${ESC}P`,
        '\u009B',
        '\u009D',
        '\u009C',
        '\\',
        '31m',
        '8m',
        '2J',
        '38;5;8m',
        '\u202E',
      ),
      fc.integer({ min: 0, max: 0x10ffff }).map(code => String.fromCodePoint(code)),
    ),
    { maxLength: 30 },
  )
  .map(parts => parts.join(''))

const SGR = /\u001B\[[0-9;:]*m/g

describe('sanitizeTerminal', () => {
  test.each<[what: string, given: string, shown: string]>([
    ['plain text', 'héllo ✓ 漢字 👩‍💻\tx\n', 'héllo ✓ 漢字 👩‍💻\tx\n'],
    ['a window title', `a${ESC}]0;owned\u0007b`, 'ab'],
    ['a clipboard write', `a${ESC}]52;c;Y3VybCBldmls${ESC}\\b`, 'ab'],
    ['a link that lies', `${ESC}]8;;https://evil.example${ESC}\\good.example${ESC}]8;;${ESC}\\`, 'good.example'],
    ['cursor moves and erasing', `a${ESC}[2J${ESC}[H${ESC}[1A${ESC}[Kb`, 'ab'],
    ['an answer typed by the terminal', `a${ESC}[6n${ESC}[c${ESC}Zb`, 'ab'],
    ['a reset and a character set', `a${ESC}c${ESC}(0b`, 'ab'],
    ['a device control string', `a${ESC}P+q544e${ESC}\\b`, 'ab'],
    ['C1 forms of the same', 'a\u009B2Jb\u009D0;t\u009Cc', 'abc'],
    ['backspaces and bells', 'rm\b\bls\u0007', 'rmls'],
    ['overwriting a line', 'evil\rgood', 'evil\ngood'],
    ['line ends of another system', 'a\r\nb', 'a\nb'],
    ['text that reads backwards', 'a\u202Etxt.exe', 'a<U+202E>txt.exe'],
    ['a string that never ends', `a${ESC}]0;title\nnext line`, 'a\nnext line'],
    ['a sequence cut by another', `${ESC}[3${ESC}[1mx`, 'x'],
  ])('%s', (_, given, shown) => expect(sanitizeTerminal(given)).toBe(shown))

  test('colours pass where they are wanted, and end with the text', () => {
    expect(coloured(`${ESC}[1;31mred`)).toBe(`${ESC}[1;31mred${ESC}[0m`)
    expect(coloured(`${ESC}[38;5;8mgrey${ESC}[0m`)).toBe(`${ESC}[38;5;8mgrey${ESC}[0m`)
    expect(coloured(`${ESC}[31;8mhidden`)).toBe('hidden')
    expect(coloured(`${ESC}[>4;1m${ESC}[?1049h`)).toBe('')
    expect(sanitizeTerminal(`${ESC}[31mred${ESC}[0m`)).toBe('red')
  })

  test('whatever comes in, only text, tabs, line feeds and colours go out', () => {
    fc.assert(
      fc.property(hostile, text => {
        const shown = coloured(text)
        expect(shown.replaceAll(SGR, '')).not.toMatch(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069]/)
        expect(sanitizeTerminal(text)).not.toContain(ESC)
        // Every colour that is turned on is turned off.
        const last = shown.match(SGR)?.at(-1)
        if (last !== undefined) expect(last).toMatch(/^\u001B\[(.*;)?0*m$/)
      }),
      { numRuns: 2000 },
    )
  })

  test('cutting the output anywhere changes nothing', () => {
    fc.assert(
      fc.property(hostile, fc.array(fc.nat(40), { maxLength: 8 }), (text, cuts) => {
        const sanitizer = createSanitizer({ colour: true })
        let shown = ''
        let at = 0
        for (const cut of cuts) {
          shown += sanitizer.write(text.slice(at, at + cut))
          at += cut
        }
        expect(shown + sanitizer.write(text.slice(at)) + sanitizer.end()).toBe(coloured(text))
      }),
      { numRuns: 2000 },
    )
  })

  test('harmless text passes unchanged', () => {
    const printable = fc.integer({ min: 0x20, max: 0x7e }).map(code => String.fromCharCode(code))
    fc.assert(
      fc.property(fc.string({ unit: printable }), text => {
        expect(coloured(text)).toBe(text)
      }),
    )
  })
})

test('sanitizeLine makes one line of it', () => {
  expect(sanitizeLine(` fix\r\n the\t${ESC}[31mtest\n`)).toBe('fix the test')
})
