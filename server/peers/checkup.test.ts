import { describe, expect, test } from 'vitest'
import { makeIdentity } from '#test/fakes/identity.ts'
import { down, fakeMesh, machine } from '#test/fakes/mesh.ts'
import { type CheckupDeps, checkPeers } from './checkup.ts'
import type { KnownPeer, Membership } from './known-peers.ts'

const NOW = Date.UTC(2026, 5, 1)
const { nodeId, publicKey } = makeIdentity()
const member: Membership = {
  ...{ mesh: 'fake', id: 'm1', runsOurs: true, weRunTheirs: true, user: null, tags: [], barred: null },
}
const desk: KnownPeer = {
  id: nodeId,
  name: 'desk',
  publicKey,
  address: 'http://100.64.0.2:8080',
  source: 'tailnet',
  runsOurs: false,
  weRunTheirs: false,
  addedAt: new Date(NOW).toISOString(),
  members: [member],
}
const LISTED = { id: desk.id, address: 'http://box:8080' }
const mesh = () =>
  Object.assign(fakeMesh(), { members: [machine('m1', '100.64.0.2'), machine('m2', '100.64.0.3', { isOnline: false })] })
const answering = (time: number) => async () =>
  Response.json({ node: desk.id }, { headers: { date: new Date(time).toUTCString() } })
const failing = (cause: unknown) => async () => Promise.reject(new TypeError('fetch failed', { cause }))
const check = (deps: Partial<CheckupDeps> = {}) =>
  checkPeers({ mesh: mesh(), peers: [desk], now: () => NOW, fetch: answering(NOW), ...deps })

test('finds nothing where all is well, and says what is there', async () => {
  expect(await check()).toEqual({
    mesh: { state: 'running', detail: 'self as nobody; 2 other machines, 1 of them online' },
    problems: [],
  })
  expect(await check({ mesh: null, peers: [] })).toMatchObject({ mesh: { state: 'off' }, problems: [] })
})

test('a listed node that is known already, or is where the list says, is no problem', async () => {
  const { id, address } = desk
  expect(await check({ listed: [{ id, address: 'http://elsewhere:1' }] })).toMatchObject({ problems: [] })
  expect(await check({ peers: [], listed: [{ id, address }] })).toMatchObject({ problems: [] })
})

test('a mesh that is out is a problem with its own remedy; one that is not installed is none', async () => {
  expect(await check({ mesh: Object.assign(mesh(), { outage: down }), peers: [] })).toEqual({
    mesh: { state: 'stopped', detail: 'It is off.' },
    problems: [{ what: 'It is off.', fix: 'Turn it on.' }],
  })
  const absent = Object.assign(mesh(), { outage: { ...down, state: 'absent' } })
  expect(await check({ mesh: absent, peers: [] })).toMatchObject({ mesh: { state: 'absent' }, problems: [] })
})

describe('each problem comes with what to do', () => {
  const paired: KnownPeer = { ...desk, source: 'paired', runsOurs: true, members: [] }
  test.each<[string, Partial<CheckupDeps>, RegExp, RegExp]>([
    ['no interface', { mesh: Object.assign(mesh(), { hasInterface: false }) }, /without a network interface/, /HTTP_PROXY/],
    ['a clock ahead', { fetch: answering(NOW + 90_000) }, /desk is 90 s ahead of/, /NTP/],
    ['a clock behind', { fetch: answering(NOW - 90_000) }, /90 s behind/, /NTP/],
    ['another node', { fetch: async () => Response.json({ node: 'b'.repeat(26) }) }, /there is node bbb/, /skein peers self/],
    ['no node at all', { fetch: async () => new Response('<html>') }, /is no node/, /skein serve/],
    [
      'a listed node away',
      { peers: [], listed: [LISTED], fetch: failing(new Error('no route')) },
      /box:8080 cannot be reached/,
      /firewall/,
    ],
    ['no node there', { fetch: failing(Object.assign(new Error('x'), { code: 'ECONNREFUSED' })) }, /refuses/, /skein serve/],
    ['the policy', { fetch: failing(new DOMException('x', 'TimeoutError')) }, /online but cannot be reached/, /tcp:8080/],
    ['a paired node away', { peers: [paired], fetch: failing(new Error('no route')) }, /no route/, /firewall/],
    [
      'another key',
      { peers: [{ ...desk, runsOurs: true, members: [{ ...member, barred: 'key_changed' }] }] },
      /another key/,
      /skein peers trust desk/,
    ],
    [
      'no grant',
      { peers: [{ ...desk, members: [{ ...member, runsOurs: false, weRunTheirs: false }] }] },
      /Nothing lets jobs go/,
      /skein\.dev\/cap\/peer/,
    ],
  ])('%s', async (_, deps, what, fix) => {
    const { problems } = await check(deps)
    expect(problems).toEqual([{ what: expect.stringMatching(what), fix: expect.stringMatching(fix) }])
  })
})

test('a machine that is off is no problem, and is not asked', async () => {
  const asked: unknown[] = []
  const fetch = async (url: unknown) => {
    asked.push(url)
    throw new Error('no')
  }
  const away = Object.assign(mesh(), { members: [machine('m1', '100.64.0.2', { isOnline: false })] })
  expect((await check({ mesh: away, fetch })).problems).toEqual([])
  expect(asked).toEqual([])
})
