import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ImageReference } from './image.ts'

const isOne = (text: string) => ImageReference.safeParse(text).success
const component = fc.stringMatching(/^[a-z0-9]{1,12}(?:(?:\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}$/)
const path = fc.array(component, { minLength: 1, maxLength: 4 }).map(parts => parts.join('/'))
const host = fc.constantFrom('', 'ghcr.io/', 'localhost/', 'localhost:5000/', 'registry.example.org:443/', '10.0.0.1:30500/')
const tag = fc.option(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/), { nil: null })
const digest = fc.option(fc.stringMatching(/^[0-9a-f]{64}$/), { nil: null })

describe('the name of an image', () => {
  it('has a path, and may have a registry, a tag and a digest', () => {
    fc.assert(
      fc.property(host, path, tag, digest, (registry, name, tagged, hash) => {
        const text = `${registry}${name}${tagged === null ? '' : `:${tagged}`}${hash === null ? '' : `@sha256:${hash}`}`
        expect(isOne(text)).toBe(true)
      }),
    )
  })

  it('holds nothing that a shell, a URL or a command line would take for more than a name', () => {
    const hostile = fc.constantFrom(...' \t\n\0$`;&|<>(){}[]*?!\'"\\#%^~,=+')
    fc.assert(
      fc.property(path, path, hostile, (before, after, character) => {
        expect(isOne(before + character + after)).toBe(false)
        expect(isOne(character + after)).toBe(false)
        expect(isOne(before + character)).toBe(false)
      }),
    )
  })

  it('is never an option, a way through directories, a URL or a name that no registry takes', () => {
    const wrong = ['', '-v', '--privileged', '../etc', 'a/../b', '/etc/passwd', 'a//b', 'a/', 'docker://node', 'http://x/y']
    const more = [
      'Node:24',
      'node:',
      'node@sha256:12',
      'node:24:25',
      'node@md5:00',
      'a..b',
      '.a',
      'ä',
      'node:24\n',
      'x'.repeat(513),
    ]
    expect([...wrong, ...more].filter(isOne)).toEqual([])
  })

  it('is told within its length whatever it is given', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', '-', '_', '.', '/', ':', '@', '0'), maxLength: 600 }),
        text => void isOne(text),
      ),
    )
    expect(isOne(`${'a-'.repeat(255)}!`)).toBe(false)
  })
})
