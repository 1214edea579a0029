import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { NodeInfo } from '#shared/contract/index.ts'
import { PROTOCOL } from '#shared/model/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { makeIdentity } from '#test/fakes/identity.ts'
import { fakeMesh, machine } from '#test/fakes/mesh.ts'
import { createDiscovery } from '../discovery.ts'
import { type KnownPeers, openKnownPeers, rightsNow } from '../known-peers.ts'
import type { PeerDirectory } from '../peer-directory.ts'
import { staticList } from './index.ts'

const [self, desk, stranger] = [makeIdentity(), makeIdentity(), makeIdentity()]
const listed = { address: 'http://desktop:8080/', id: desk.nodeId, offer: true, accept: false }
const settled = async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
}

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'static-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

/** @param answers which node answers at an address */
async function world(mesh: PeerDirectory, answers: Record<string, { nodeId: string; publicKey: string }>, known?: KnownPeers) {
  const directory = known ?? (await openKnownPeers(join(root, 'peers.json')))
  const warnings: string[] = []
  const asked: string[] = []
  const discovery = createDiscovery({
    mesh,
    directory,
    rules: { accept: { users: [], tags: [] }, offer: { users: [], tags: [] } },
    self: self.nodeId,
    clock: virtualClock(),
    port: () => 1,
    async ask(_, url): Promise<NodeInfo> {
      asked.push(url)
      const found = answers[url]
      if (!found) throw new Error('nobody')
      return { node: found.nodeId, publicKey: found.publicKey, name: 'desk', version: '1', protocol: PROTOCOL }
    },
    keyFor: id => directory.get(id)?.publicKey ?? null,
    isAnswering: () => true,
    listen: async () => {},
    warn: what => void warnings.push(what),
  })
  await discovery.look()
  await settled()
  return { directory, discovery, warnings, asked }
}
const at = 'http://desktop:8080'

test('a listed node is known by its key once it answers, with what the list says of it', async () => {
  const list = staticList({ peers: [{ ...listed, accept: true }], self: self.nodeId })
  const { directory } = await world(list, { [at]: desk })
  expect(directory.list()).toMatchObject([{ id: desk.nodeId, address: at, source: 'listed' }])
  const peer = directory.get(desk.nodeId) ?? expect.fail('not known')
  expect(rightsNow(peer, ['static'])).toEqual({ runsOurs: true, weRunTheirs: true })
  expect(rightsNow(peer, [])).toEqual({ runsOurs: false, weRunTheirs: false })
})

test('another node at its address is nobody', async () => {
  const list = staticList({ peers: [listed], self: self.nodeId })
  const { directory } = await world(list, { [at]: stranger })
  expect(directory.list()).toEqual([])
})

describe('a request', () => {
  test('counts by its key, from whatever address it comes, and of nobody else', async () => {
    const list = staticList({ peers: [{ ...listed, accept: true }], self: self.nodeId })
    const { discovery } = await world(list, {})
    const remote = { address: '192.0.2.9', port: 4711 }
    expect(await discovery.vouch(desk.nodeId, desk.publicKey, remote)).toMatchObject({ publicKey: desk.publicKey })
    expect(await discovery.vouch(desk.nodeId, stranger.publicKey, remote)).toBeNull()
    expect(await discovery.vouch(stranger.nodeId, stranger.publicKey, remote)).toBeNull()
  })
})

test('this node is left out of a list that all are given, and an empty list costs nothing', async () => {
  const list = staticList({ peers: [{ ...listed, id: self.nodeId }], self: self.nodeId })
  const { asked, directory } = await world(list, {})
  expect([asked, directory.list()]).toEqual([[], []])
})

test('who is not in the list any more is not known any more', async () => {
  const { directory } = await world(staticList({ peers: [listed], self: self.nodeId }), { [at]: desk })
  expect(directory.list()).toHaveLength(1)
  const again = await world(staticList({ peers: [], self: self.nodeId }), {}, directory)
  expect(again.directory.list()).toEqual([])
})

test('a node that a mesh knows too has the rights of both, and keeps those of one that is left', async () => {
  const mesh = fakeMesh()
  mesh.members = [machine('m1', '100.64.0.2')]
  mesh.grants.set('m1', { 'skein.dev/cap/peer': [{ weRunTheirs: true }] })
  const first = await world(mesh, { 'http://100.64.0.2:1': desk })
  const second = await world(staticList({ peers: [listed], self: self.nodeId }), { [at]: desk }, first.directory)
  const both = () => second.directory.get(desk.nodeId) ?? expect.fail('not known')
  expect(rightsNow(both(), ['fake', 'static'])).toEqual({ runsOurs: true, weRunTheirs: true })
  expect(both()).toMatchObject({ source: 'tailnet', address: 'http://100.64.0.2:1' })
  expect(rightsNow(both(), ['static'])).toEqual({ runsOurs: true, weRunTheirs: false })
  first.discovery.stop()
})
