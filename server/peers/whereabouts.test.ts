import { expect, test, vi } from 'vitest'
import { ApiError } from '#shared/contract/index.ts'
import { makeIdentity } from '#test/fakes/identity.ts'
import type { KnownPeer } from './known-peers.ts'
import { createWhereabouts, type Place, plainAddress, urlOf } from './whereabouts.ts'

const { nodeId, publicKey } = makeIdentity()
const desktop: KnownPeer = {
  id: nodeId,
  name: 'desktop',
  publicKey,
  address: 'http://10.0.0.7:8080',
  source: 'paired',
  runsOurs: true,
  weRunTheirs: false,
  members: [],
  addedAt: new Date(0).toISOString(),
}

/** @param reachable where the node answers */
function world(reachable: string, peer: KnownPeer = desktop) {
  const known = new Map([[peer.id, peer]])
  let here: Place = { port: 8080, addresses: ['10.0.0.1'] }
  const sent = vi.fn<(peer: KnownPeer, place: Place) => Promise<unknown>>(async () => {})
  const looked = vi.fn(async () => {})
  const whereabouts = createWhereabouts({
    directory: {
      get: id => known.get(id) ?? null,
      async put(changed) {
        known.set(changed.id, changed)
      },
    },
    here: () => here,
    send: sent,
    look: looked,
    isAnswering: id => known.get(id)?.address === reachable,
  })
  return {
    whereabouts,
    sent,
    looked,
    address: () => known.get(peer.id)?.address,
    move: (addresses: string[]) => {
      here = { port: 8080, addresses }
    },
  }
}

test('a node that moved is asked where it says it is, once it is not found where it was', async () => {
  const { whereabouts, address, looked } = world('http://10.0.0.9:8080')
  await whereabouts.hear(nodeId, '::ffff:10.0.0.9', { port: 8080, addresses: ['10.0.0.9', 'fd00::9'] })
  expect(address()).toBe('http://10.0.0.9:8080')
  // Twice where it was, for the first look may have begun earlier, and once where it is.
  expect(looked).toHaveBeenCalledTimes(3)
})

test('an address that holds is kept, whatever a node says', async () => {
  const { whereabouts, address } = world('http://10.0.0.7:8080')
  await whereabouts.hear(nodeId, '10.0.0.9', { port: 8080, addresses: ['10.0.0.9'] })
  expect(address()).toBe('http://10.0.0.7:8080')
})

test.each([
  ['that the node did not sign as its own: somebody passes on what it sent', '10.0.0.66', ['10.0.0.9']],
  ['of loopback, where this node itself is', '127.0.0.1', ['10.0.0.9']],
  ['of loopback, also where a node says it is its own', '127.0.0.1', ['127.0.0.1']],
  ['of loopback in the other family', '::1', ['::1']],
  ['that is not known', undefined, ['10.0.0.9']],
])('nothing is believed from an address %s', async (_, from, addresses) => {
  const { whereabouts, address, looked } = world('nowhere')
  await whereabouts.hear(nodeId, from, { port: 8080, addresses })
  expect(address()).toBe('http://10.0.0.7:8080')
  expect(looked).not.toHaveBeenCalled()
})

test('where a node of a mesh is, the mesh says', async () => {
  const { whereabouts, address, sent } = world('nowhere', { ...desktop, source: 'tailnet' })
  await whereabouts.hear(nodeId, '10.0.0.9', { port: 8080, addresses: ['10.0.0.9'] })
  expect(address()).toBe('http://10.0.0.7:8080')
  await whereabouts.tell({ ...desktop, source: 'tailnet' })
  expect(sent).not.toHaveBeenCalled()
})

test('a node is told once, again after a change, and again when it did not hear', async () => {
  const { whereabouts, sent, move } = world('')
  await whereabouts.tell(desktop)
  await whereabouts.tell(desktop)
  expect(sent).toHaveBeenCalledTimes(1)
  move(['10.0.0.2'])
  sent.mockRejectedValueOnce(new ApiError('peer_unreachable', 'it hangs'))
  await whereabouts.tell(desktop)
  await whereabouts.tell(desktop)
  expect(sent).toHaveBeenCalledTimes(3)
  expect(sent).toHaveBeenLastCalledWith(desktop, { port: 8080, addresses: ['10.0.0.2'] })
})

test('a node of an older version, which does not know the question, is not asked again', async () => {
  const { whereabouts, sent } = world('')
  sent.mockRejectedValueOnce(new ApiError('not_found', 'There is no such path.'))
  await whereabouts.tell(desktop)
  await whereabouts.tell(desktop)
  expect(sent).toHaveBeenCalledTimes(1)
})

test('addresses are written as URLs have them', () => {
  expect(urlOf(plainAddress('fe80::1%eth0') ?? '', 1)).toBe('http://[fe80::1]:1')
  expect(urlOf(plainAddress('::ffff:10.0.0.7') ?? '', 1)).toBe('http://10.0.0.7:1')
  expect(plainAddress('localhost')).toBeNull()
})
