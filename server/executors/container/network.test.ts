import { expect, it } from 'vitest'
import { type Engine, EngineError } from './engine.ts'
import { findNetwork, homesOn } from './network.ts'

const own = (...addresses: string[]) =>
  addresses.map(address => ({ address, family: address.includes(':') ? 'IPv6' : 'IPv4', internal: address === '127.0.0.1' }))
const network = { name: 'agents', subnets: ['10.89.0.0/24', 'fd01::/64', 'nonsense'], gateways: ['10.89.0.1'] }
const AUTO = { address: 'auto', port: 0 }

it('is reached by the addresses it has on the network, else by that of the machine, unless an address is set', () => {
  const all = own('127.0.0.1', '192.168.1.2', '10.89.0.7', 'fd01::7', 'fd02::7')
  expect(homesOn(network, AUTO, all)).toEqual(['10.89.0.7', 'fd01::7'])
  expect(homesOn(network, AUTO, own('192.168.1.2', '10.89.1.7'))).toEqual(['10.89.0.1'])
  expect(homesOn(network, { address: 'backend', port: 1 }, all)).toEqual(['backend'])
  expect(() => homesOn({ ...network, gateways: [] }, AUTO, own('192.168.1.2'))).toThrow('not on the network agents')
})

it('takes an internal network only', async () => {
  const engine = (answer: object | Error, dns = false) =>
    ({
      at: 'tcp://there:1',
      ask: async (schema: { parse(value: unknown): unknown }, _: string, path: string) => {
        if (path.includes('/libpod/')) return schema.parse({ dns_enabled: dns })
        if (answer instanceof Error) throw answer
        return schema.parse(answer)
      },
    }) as unknown as Engine
  const IPAM = {
    Config: [
      { Subnet: '10.89.0.0/24', Gateway: '10.89.0.1/24' },
      { Subnet: 'fd01::/64', Gateway: '<nil>' },
    ],
  }
  expect(await findNetwork(engine({ Internal: true, IPAM }), 'agents', false)).toEqual({
    name: 'agents',
    subnets: ['10.89.0.0/24', 'fd01::/64'],
    gateways: ['10.89.0.1'],
  })
  expect(await findNetwork(engine({ Internal: true, IPAM: null }), 'agents', false)).toMatchObject({ subnets: [], gateways: [] })
  await expect(findNetwork(engine({ Internal: false, IPAM }), 'agents', false)).rejects.toThrow('not internal')
  await expect(findNetwork(engine({ IPAM }), 'agents', false)).rejects.toThrow('not internal')
  expect(await findNetwork(engine({ Internal: true, IPAM: null }), 'agents', true)).toMatchObject({ name: 'agents' })
  await expect(findNetwork(engine({ Internal: true, IPAM }, true), 'agents', true)).rejects.toThrow('resolves names')
  await expect(findNetwork(engine(new EngineError(404, 'none')), 'agents', false)).rejects.toThrow('has no network agents')
  await expect(findNetwork(engine(new EngineError(500, 'broken')), 'agents', false)).rejects.toThrow('broken')
})
