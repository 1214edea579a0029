import { globSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { bundleOf, spokenTexts } from './spoken.ts'

/** The one place that hands texts on. */
const DOOR = 'extension/ui/texts.ts'
const sources = globSync('extension/**/*.ts').filter(path => !path.endsWith('.test.ts') && path !== DOOR)
const spoken = sources.map(path => ({ path, ...spokenTexts(readFileSync(path, 'utf8'), path) }))
const texts = new Set(spoken.flatMap(({ texts }) => texts))
const placeholders = (text: string) => (text.match(/\{\d+\}/g) ?? []).sort()

it('finds what is said, and what cannot be found', () => {
  const found = spokenTexts('t("a {0}", 1)\nvscode.l10n.t(`b`)\nt(name)\nother("c")\nconst x = () => { return t(\'d\' + e) }')
  expect(found).toEqual({ texts: ['a {0}', 'b'], unknown: [3, 5] })
  expect(bundleOf(['b', 'a', 'b'])).toEqual({ a: 'a', b: 'b' })
})

it('has every text of the extension written out where it is said, so that all of them are in the bundle', () => {
  expect(spoken.filter(({ unknown }) => unknown.length > 0).map(({ path, unknown }) => `${path}:${unknown.join()}`)).toEqual([])
  expect(texts.size).toBeGreaterThan(100)
  expect(texts).toContain('New Job in {0}')
})

it('numbers what is filled in from 0, without gaps', () => {
  for (const text of texts) {
    const numbers = [...new Set(placeholders(text))]
    expect(numbers, text).toEqual(numbers.map((_, at) => `{${at}}`))
  }
})

it('says nothing to a person past the door', () => {
  const window = /show(?:Information|Warning|Error)Message\(\s*['"`]/
  for (const { path } of spoken) expect(readFileSync(path, 'utf8'), path).not.toMatch(window)
})
