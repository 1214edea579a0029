import { describe, expect, it } from 'vitest'
import { createAdmission, pinned } from './admission.ts'

const PUBLIC = '1.1.1.1'

describe('looking names up', () => {
  it('looks a name up once for all who ask at the same time, and at most four names at once', async () => {
    const waiting = new Map<string, (addresses: readonly string[]) => void>()
    const asked: string[] = []
    const { admit } = createAdmission({ allow: ['*.test'], refused: () => {} }, name => {
      asked.push(name)
      return new Promise(resolve => waiting.set(name, resolve))
    })
    const names = ['a.test', 'a.test', 'b.test', 'c.test', 'd.test', 'e.test', 'e.test']
    const routes = names.map(name => admit(name, 443))
    await new Promise(setImmediate)
    expect(asked).toEqual(['a.test', 'b.test', 'c.test', 'd.test'])
    waiting.get('b.test')?.([PUBLIC])
    await new Promise(setImmediate)
    expect(asked).toEqual(['a.test', 'b.test', 'c.test', 'd.test', 'e.test'])
    for (const answer of waiting.values()) answer([PUBLIC])
    expect((await Promise.all(routes)).map(({ host }) => host)).toEqual(names)
  })

  it('goes on after a failure', async () => {
    let tries = 0
    const { admit } = createAdmission({ allow: ['a.test'], refused: () => {} }, async () => {
      if (tries++ === 0) throw new Error('no network')
      return [PUBLIC]
    })
    await expect(admit('a.test', 443)).rejects.toMatchObject({ code: 'provider_failed' })
    expect(await admit('a.test', 443)).toEqual({ host: 'a.test', port: 443, addresses: [PUBLIC] })
  })

  it('keeps only public addresses of a name', async () => {
    const found = ['10.0.0.1', '2606:4700::1111', '::1', PUBLIC]
    const { admit } = createAdmission({ allow: ['a.test'], refused: () => {} }, async () => found)
    expect((await admit('a.test', 80)).addresses).toEqual(['2606:4700::1111', PUBLIC])
  })

  it('lets another node name public addresses only, and this one any', async () => {
    const refused: string[] = []
    const wanted = ['127.0.0.1:8080', '169.254.169.254', '[::ffff:127.0.0.1]', '192.168.0.1', PUBLIC, 'a.test']
    const given = { allow: ['192.168.0.1'], guestAllow: wanted, refused: (host: string) => refused.push(host) }
    const { admit } = createAdmission(given, async () => [PUBLIC])
    for (const host of wanted.slice(0, 3)) await expect(admit(host, 80)).rejects.toMatchObject({ code: 'forbidden' })
    expect(refused).toHaveLength(3)
    for (const host of wanted.slice(3)) expect(await admit(host, 80)).toMatchObject({ host })
  })

  it('tells of at most 100 refusals', async () => {
    const told: string[] = []
    const { admit } = createAdmission({ allow: [], refused: host => told.push(host) })
    for (let i = 0; i < 200; i++) await admit(`host${i}.test`, 443).catch(() => {})
    expect(told).toHaveLength(100)
  })
})

describe('a pinned resolver', () => {
  it('knows the addresses of its route and asks nobody', () => {
    const lookup = pinned({ host: 'a.test', port: 443, addresses: [PUBLIC, '2606:4700::1111'] })
    const answers: unknown[] = []
    const take = (...answer: unknown[]) => answers.push(answer)
    lookup('a.test', { all: true }, take)
    lookup('another.test', {}, take)
    expect(answers).toEqual([
      [
        null,
        [
          { address: PUBLIC, family: 4 },
          { address: '2606:4700::1111', family: 6 },
        ],
      ],
      [null, PUBLIC, 4],
    ])
  })
})
