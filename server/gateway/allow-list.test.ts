import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { AllowedHost } from '#shared/model/index.ts'
import { allows, parseDestination, show } from './allow-list.ts'

const verdict = (entries: readonly string[], target: string, defaultPort = 443) => {
  const destination = parseDestination(target, defaultPort)
  return destination && allows(entries, destination)
}

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?$/)
const name = fc.array(label, { minLength: 2, maxLength: 4 }).map(labels => [...labels, 'test'].join('.'))
const port = fc.integer({ min: 1, max: 65_535 })

describe('a destination', () => {
  test.each([
    ['example.com', { host: 'example.com', port: 443 }],
    ['EXAMPLE.com.:8080', { host: 'example.com', port: 8080 }],
    ['10.0.0.1:80', { host: '10.0.0.1', port: 80 }],
    ['[::1]:80', { host: '::1', port: 80 }],
    ['[0:0:0:0:0:0:0:1]', { host: '::1', port: 443 }],
  ])('%s is read', (text, expected) => {
    expect(parseDestination(text, 443)).toEqual(expected)
  })

  test.each([
    '',
    ':443',
    'a:0',
    'a:65536',
    'a:123456',
    'a b:1',
    'a:1:2',
    '::1',
    '[::1',
    '[a.b]:1',
    '[fe80::1%eth0]:1',
    '*.example.com',
    'user@example.com',
    'a/b',
    'a\r\nHost: b',
    `${'a'.repeat(254)}:1`,
  ])('%j is refused', text => {
    expect(parseDestination(text, 443)).toBeNull()
  })

  it('is what it is shown as', () => {
    fc.assert(
      fc.property(fc.oneof(name, fc.ipV4(), fc.constantFrom('[::1]', '[2001:db8::1]')), port, (host, at) => {
        const destination = parseDestination(`${host}:${at}`, 1)
        expect(destination && parseDestination(show(destination), 443)).toEqual(
          at === 80 ? { ...destination, port: 443 } : destination,
        )
      }),
    )
  })

  it('never throws, whatever is asked for', () => {
    fc.assert(fc.property(fc.string(), fc.string(), (text, entry) => void verdict([entry], text)))
  })
})

describe('the allow-list', () => {
  it('lets nothing through when it is empty', () => {
    fc.assert(fc.property(name, port, (host, at) => verdict([], `${host}:${at}`) === null))
  })

  it('lets a listed name through at the ports of the web, and at no other', () => {
    fc.assert(
      fc.property(name, port, (host, at) => {
        expect(verdict([host.toUpperCase()], `${host}:${at}`)).toBe(at === 80 || at === 443 ? 'name' : null)
        expect(verdict([`${host}:${at}`], `${host}:${at}`)).toBe('name')
        expect(verdict([`${host}:${at}`], `${host}:${(at % 65_535) + 1}`)).toBeNull()
      }),
    )
  })

  it('lets names below a wildcard through, and neither the name itself nor one that only ends the same', () => {
    fc.assert(
      fc.property(name, label, (host, below) => {
        const entries = [`*.${host}`]
        expect(verdict(entries, `${below}.${host}`)).toBe('name')
        expect(verdict(entries, `a.${below}.${host}`)).toBe('name')
        expect(verdict(entries, host)).toBeNull()
        expect(verdict(entries, `${below}${host}`)).toBeNull()
        expect(verdict(entries, `.${host}`)).toBeNull()
        expect(verdict([host], `${below}.${host}`)).toBeNull()
      }),
    )
  })

  it('takes an address by itself only', () => {
    fc.assert(
      fc.property(fc.ipV4(), address => {
        expect(verdict([address], address)).toBe('address')
        expect(verdict([`*.${address.slice(address.indexOf('.') + 1)}`], address)).toBeNull()
      }),
    )
    expect(verdict(['[fd00::1]:8080'], '[FD00:0::1]:8080')).toBe('address')
    expect(verdict(['[fd00::1]:8080'], '[fd00::2]:8080')).toBeNull()
  })

  test.each(['registry.npmjs.org', '*.example.com:8080', '10.0.0.1:11434', '[fd00::1]:8080', '[::1]'])(
    'reads the entry %s that a job may have',
    entry => {
      expect(AllowedHost.safeParse(entry).success).toBe(true)
      expect(verdict([entry], entry.replace('*', 'a'))).not.toBeNull()
    },
  )
})
