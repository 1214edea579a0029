import fc from 'fast-check'
import { expect, it } from 'vitest'
import { plainLabel, plainMarkdownText } from './plain.ts'

/** Text as it comes: marks of Markdown, ends of lines and words, in any order. */
const hostile = fc
  .array(fc.oneof(fc.constantFrom(...'\\`*_{}[]()#+-.!<>|~&$:=@/"\'\n\r\t \u202E', '](command:', '```', '    '), fc.string()))
  .map(parts => parts.join(''))

it('leaves no mark of Markdown unescaped, and no character out that is seen', () => {
  fc.assert(
    fc.property(hostile, text => {
      const shown = plainMarkdownText(text)
      expect(shown.replaceAll(/\\[!-/:-@[-`{-~]/g, '')).not.toMatch(/[!-/:-@[-`{-~]/)
      const seen = (value: string) => value.replaceAll(/[\s\p{C}]+/gu, '')
      expect(seen(shown.replaceAll(/\\([!-/:-@[-`{-~])/g, '$1'))).toBe(seen(text))
    }),
  )
})

it('keeps lines and paragraphs apart, and begins no block of code', () => {
  expect(plainMarkdownText('one\n    two\n\n\n# three\r\n===')).toBe('one  \ntwo\n\n\\# three  \n\\=\\=\\=')
  expect(plainMarkdownText('      x')).toBe(' x')
  expect(plainMarkdownText('\n\tx')).toBe(' \nx')
})

it('shows links and pictures as the text they are', () => {
  expect(plainMarkdownText('[Apply](command:skein.jobs.apply) ![](https://evil/x.png)')).not.toMatch(/[^\\][[(]/)
  expect(plainMarkdownText('x'.repeat(30_000))).toHaveLength(20_001)
})

it('makes no picture of a text in a list', () => {
  expect(plainLabel('$(verified) desktop')).toBe('$ (verified) desktop')
})
