import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSecrets } from './secrets.ts'

/** Few letters, so that secrets overlap, contain each other, and their starts turn up everywhere. */
const letters = fc.array(fc.constantFrom('a', 'b'), { minLength: 8, maxLength: 12 }).map(list => list.join(''))
const text = fc.array(fc.oneof(fc.constantFrom('a', 'b', 'c', 'é', '\n'), letters), { maxLength: 30 }).map(list => list.join(''))

function stream(secrets: ReturnType<typeof createSecrets>, bytes: Buffer, cuts: readonly number[]): string {
  const redact = secrets.stream()
  const parts: Uint8Array[] = []
  let from = 0
  for (const cut of [...cuts].map(part => part % (bytes.length + 1)).sort((a, b) => a - b)) {
    parts.push(redact(bytes.subarray(from, cut), false).slice())
    from = cut
  }
  parts.push(redact(bytes.subarray(from), false).slice(), redact(new Uint8Array(), true).slice())
  return Buffer.concat(parts).toString()
}

describe('secrets', () => {
  it('never come through, and any cut of a stream gives what the whole would', () => {
    fc.assert(
      fc.property(
        fc.array(letters, { minLength: 1, maxLength: 4 }),
        text,
        fc.array(fc.nat(), { maxLength: 8 }),
        (values, input, cuts) => {
          const secrets = createSecrets()
          for (const [index, value] of values.entries()) secrets.add(value, `S${index}`)
          const whole = secrets.redact(input)
          for (const value of values) expect(whole.replaceAll(/\[secret S\d\]/g, '|')).not.toContain(value)
          expect(stream(secrets, Buffer.from(input), cuts)).toBe(whole)
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('leave clean bytes as they are, invalid UTF-8 included', () => {
    const secrets = createSecrets()
    secrets.add('sk-0123456789', 'KEY')
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
        const redact = secrets.stream()
        expect(Buffer.concat([redact(bytes, false), redact(new Uint8Array(), true)]).equals(Buffer.from(bytes))).toBe(true)
      }),
    )
  })

  it.each([
    ['as it is', (value: string) => value],
    ['in base64', (value: string) => Buffer.from(value).toString('base64')],
    ['in a URL', (value: string) => encodeURIComponent(value)],
    ['in JSON', (value: string) => JSON.stringify(value)],
    ['in JSON in JSON', (value: string) => JSON.stringify(JSON.stringify(value)).slice(3, -3)],
  ])('are struck out %s', (_, encode) => {
    const secrets = createSecrets()
    secrets.add('p"ss word/+0123', 'KEY')
    expect(secrets.redact(`before ${encode('p"ss word/+0123')} after`)).toMatch(/^before "?\[secret KEY\]=*"? after$/)
    expect(secrets.find(`x ${encode('p"ss word/+0123')}`)).toBe('KEY')
  })

  it('are struck out wherever they stand inside what is base64, and line by line', () => {
    const secrets = createSecrets()
    const value = 'p"ss word/+012'
    secrets.add(value, 'KEY')
    fc.assert(
      fc.property(fc.string(), fc.string(), (before, after) => {
        const inside = secrets.redact(Buffer.from(before + value + after).toString('base64'))
        expect(inside).toContain('[secret KEY]')
        expect(inside.replace('[secret KEY]', '').length).toBeLessThan(Buffer.from(before + after).toString('base64').length + 4)
      }),
    )
    expect(secrets.redact(Buffer.from(`${value}\n`).toString('base64url'))).toContain('[secret KEY]')
    secrets.add('-----BEGIN KEY-----\nMIIabcdefgh\nijklmnopqrst\n-----END KEY-----\n', 'PEM')
    expect(secrets.redact('-----BEGIN KEY-----\n+MIIabcdefgh\n 2\tijklmnopqrst\n')).toBe(
      '-----BEGIN KEY-----\n+[secret PEM]\n 2\t[secret PEM]\n',
    )
  })

  it('hold back no more than the start of a secret', () => {
    const secrets = createSecrets()
    secrets.add('sk-0123456789', 'KEY')
    const redact = secrets.stream()
    expect(Buffer.from(redact(Buffer.from('hello sk-01'), false)).toString()).toBe('hello ')
    expect(Buffer.from(redact(Buffer.from('x'), false)).toString()).toBe('sk-01x')
  })

  it('that are too short to tell from words are not kept, and forgotten ones are gone', () => {
    const secrets = createSecrets()
    secrets.add('short', 'S')
    const forget = secrets.add('long-enough', 'L')
    const again = secrets.add('long-enough', 'L')
    expect(secrets.redact('short long-enough')).toBe('short [secret L]')
    forget()
    forget()
    expect(secrets.find('long-enough')).toBe('L')
    again()
    expect(secrets.find('long-enough')).toBeNull()
  })
})
