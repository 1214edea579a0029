import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { addressTowards, homeAddresses } from './home.ts'

const at = (address: string, internal = false) => ({ address, internal, family: address.includes(':') ? 'IPv6' : 'IPv4' })
const OWN = [
  at('127.0.0.1', true),
  at('fe80::1'),
  at('169.254.3.4'),
  at('100.100.1.2'),
  at('2001:db8::5'),
  at('192.168.1.20'),
  at('10.0.0.4'),
]

test('the address on the way to the cluster comes first, those of the tailnet last; what leads nowhere is left out', () => {
  expect(homeAddresses({ address: 'auto' }, { own: OWN, towards: '10.0.0.4' })).toEqual([
    '10.0.0.4',
    '192.168.1.20',
    '2001:db8::5',
    '100.100.1.2',
  ])
  expect(homeAddresses({ address: 'auto' }, { own: OWN, towards: '100.100.1.2' })[0]).toBe('100.100.1.2')
  expect(homeAddresses({ address: 'auto' }, { own: OWN, towards: '127.0.0.1' })[0]).toBe('192.168.1.20')
})

test('what the settings say is all there is', () => {
  expect(homeAddresses({ address: 'node.example' }, { own: OWN, towards: null })).toEqual(['node.example'])
})

test('a machine without an address is told what to set', () => {
  const none = () => homeAddresses({ address: 'auto' }, { own: [at('127.0.0.1', true), at('fe80::2')], towards: null })
  expect(none).toThrow(expect.objectContaining({ code: 'unavailable', remedy: expect.stringContaining('home.address') }))
})

test('the way to a server is found by going it; one that is not there has none', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  expect(await addressTowards(`https://127.0.0.1:${port}`)).toBe('127.0.0.1')
  await new Promise(resolve => server.close(resolve))
  expect(await addressTowards(`https://127.0.0.1:${port}`)).toBeNull()
})
