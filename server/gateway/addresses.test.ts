import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { isPublicAddress } from './addresses.ts'

/** An address inside `bits` of `base`, as 32 bits. */
const inside = (base: string, bits: number) => {
  const start = base.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
  return fc
    .integer({ min: 0, max: 2 ** (32 - bits) - 1 })
    .map(offset => [24, 16, 8, 0].map(shift => Math.floor((start + offset) / 2 ** shift) % 256).join('.'))
}

describe('an address a name may lead to', () => {
  test.each([
    ['10.0.0.0', 8],
    ['100.64.0.0', 10],
    ['127.0.0.0', 8],
    ['169.254.0.0', 16],
    ['172.16.0.0', 12],
    ['192.168.0.0', 16],
    ['224.0.0.0', 4],
    ['240.0.0.0', 4],
    ['0.0.0.0', 8],
  ])('is none of %s/%d, mapped into IPv6 neither', (base, bits) => {
    fc.assert(
      fc.property(inside(base, bits), address => {
        expect(isPublicAddress(address)).toBe(false)
        expect(isPublicAddress(`::ffff:${address}`)).toBe(false)
        expect(isPublicAddress(`64:ff9b::${address}`)).toBe(false)
      }),
    )
  })

  test.each([
    '169.254.169.254',
    'fd00:ec2::254',
    'fd7a:115c:a1e0::1',
    'fd7a:115c:a1e0:ab12:4843:cd96:6258:b240',
    '::',
    '::1',
    '::127.0.0.1',
    '::ffff:7f00:1',
    '0:0:0:0:0:ffff:a9fe:a9fe',
    '2002:7f00:1::',
    '2001:0:4136:e378:8000:63bf:3fff:fdd2',
    'fe80::1',
    'fe80::1%eth0',
    '2606:4700::1111%eth0',
    'fec0::1',
    'ff02::1',
    '2001:db8::1',
  ])('is not %s', address => {
    expect(isPublicAddress(address)).toBe(false)
  })

  test.each(['1.1.1.1', '8.8.8.8', '100.63.255.255', '100.128.0.0', '172.15.255.255', '172.32.0.0', '2606:4700::1111'])(
    'may be %s',
    address => {
      expect(isPublicAddress(address)).toBe(true)
    },
  )

  it('is nothing that is no address', () => {
    fc.assert(fc.property(fc.domain(), name => !isPublicAddress(name)))
    for (const text of ['', '127.1', '0x7f000001', '2130706433', '017700000001', '1.1.1.1:80', '[2606:4700::1111]'])
      expect(isPublicAddress(text)).toBe(false)
  })
})
