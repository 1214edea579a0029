import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Call } from '#server/lib/call.ts'
import { PROTOCOL } from '#shared/model/index.ts'
import { makeCard } from '#test/fakes/card.ts'
import { type VirtualClock, virtualClock } from '#test/fakes/clock.ts'
import { makeIdentity } from '#test/fakes/identity.ts'
import { down, type FakeMesh, fakeMesh, machine, NO_ROLES } from '#test/fakes/mesh.ts'
import { assertionFor, sha256 } from './assertion.ts'
import { createCardSeal } from './card-seal.ts'
import type { Identity, OwnIdentity } from './identity.ts'
import { openKnownPeers } from './known-peers.ts'
import { checkNodeProof, proveNode } from './node-proof.ts'
import { createPeers } from './peers.ts'
import { API_CAPABILITY, PEER_CAPABILITY } from './rights.ts'

const ADDRESS = '100.64.0.2'
const both = { runsOurs: true, weRunTheirs: true }
const settled = async () => {
  for (let turn = 0; turn < 150; turn++) await new Promise(resolve => setTimeout(resolve, 0))
}
const call: Call = { signal: new AbortController().signal }

// Loaded with the first signature and the first call otherwise, which takes more turns than are waited for where the machine is busy.
beforeAll(async () => {
  await import('jose')
  await import('./client-over.ts')
})

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'mesh-peers-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

/** What another node answers over HTTP, wherever it is asked. */
function nodeAt(identity: Identity, address: string, asked: string[]): typeof fetch {
  const seal = createCardSeal({ identity, clock: virtualClock() })
  return async input => {
    const url = new URL(String(input))
    asked.push(url.pathname)
    if (url.pathname === '/v1/peer/gossip')
      return Response.json({ cards: [await seal.sign(makeCard(identity.nodeId, { name: 'desk' }))], wants: [] })
    const proof = await proveNode(identity, { nonce: url.searchParams.get('nonce') ?? '', addresses: [address] })
    return Response.json({
      ...{ node: identity.nodeId, publicKey: identity.publicKey, name: 'desk', version: '1', protocol: PROTOCOL },
      proof,
    })
  }
}

async function peersOf(
  identity: OwnIdentity,
  { mesh, clock, answers }: { mesh: FakeMesh; clock: VirtualClock; answers: typeof fetch },
  file: string,
) {
  return createPeers({
    identity,
    name: 'here',
    version: '1',
    card: async () => makeCard(identity.nodeId),
    random: Math.random,
    directory: await openKnownPeers(join(root, file)),
    clock,
    port: () => 8080,
    transport: { fetch: answers, listen: async () => {} },
    meshes: [{ directory: mesh, rules: { accept: { users: [], tags: [] }, offer: { users: [], tags: [] } } }],
    roles: NO_ROLES,
    warn: () => {},
  })
}

async function world() {
  const [self, other] = [makeIdentity(), makeIdentity()]
  const mesh = fakeMesh()
  const clock = virtualClock()
  const asked: string[] = []
  mesh.members = [machine('m1', ADDRESS)]
  mesh.grants.set('m1', { [PEER_CAPABILITY]: [both] })
  const answers = nodeAt(other, ADDRESS, asked)
  const peers = await peersOf(self, { mesh, clock, answers }, 'peers.json')
  const list = async () => (await peers.handlers.listPeers({}, call)).body.items
  const request = { method: 'GET', path: '/v1/peer/card', bodySha256: sha256('') }
  /** A request of the other node, as it arrives from an address. */
  const ask = async (from: string, by: Identity = other) =>
    peers.verifier.verify(await assertionFor(by, self.nodeId, request, clock), {
      ...request,
      remote: { address: from, port: 4711 },
    })
  return { self, other, mesh, clock, answers, peers, list, ask, asked }
}
type World = Awaited<ReturnType<typeof world>>

async function found(): Promise<World> {
  const all = await world()
  all.peers.start()
  await settled()
  return all
}

test('a node of the mesh is listed with what it offers, and is given jobs', async () => {
  const { list, peers, other } = await found()
  expect(await list()).toMatchObject([
    { id: other.nodeId, name: 'desk', source: 'tailnet', state: 'online', ...both, problem: null },
  ])
  expect(peers.fleet.cards()).toMatchObject([{ node: other.nodeId }])
  expect(peers.fleet.link(other.nodeId)).not.toBeNull()
  expect(peers.fleet.accepts(other.nodeId)).toBe(true)
  peers.stop()
})

test.each([
  ['granted', null, 'bob@example.com'],
  ['granted', 'alice@example.com', 'bob@example.com'],
  ['own', 'alice@example.com', 'alice@example.com'],
] as const)('a node is trusted as %s by a node of %s when it is of %s', async (trust, ours, theirs) => {
  const all = await world()
  all.mesh.self = { ...all.mesh.self, user: ours }
  all.mesh.members = [machine('m1', ADDRESS, { user: theirs })]
  all.peers.start()
  await settled()
  expect(all.peers.fleet.trust(all.other.nodeId)).toBe(trust)
  all.peers.stop()
})

test('who is asked proves its key and where it is', async () => {
  const { peers, self } = await found()
  const { body } = await peers.handlers.nodeInfo({ query: { nonce: 'n'.repeat(16) } }, call)
  await checkNodeProof(body.proof, { node: self.nodeId, publicKey: self.publicKey, nonce: 'n'.repeat(16), address: '100.64.0.1' })
  peers.stop()
})

describe('is not found', () => {
  test('a machine that passes on what another node answered', async () => {
    const all = await world()
    all.mesh.members = [machine('m1', '100.64.0.3')]
    all.peers.start()
    await settled()
    expect(await all.list()).toEqual([])
    all.peers.stop()
  })

  test('this node itself, whose data was copied to another machine', async () => {
    const all = await world()
    const peers = await peersOf(all.other, all, 'copy.json')
    peers.start()
    await settled()
    expect((await peers.handlers.listPeers({}, call)).body.items).toEqual([])
    peers.stop()
  })
})

describe('a request', () => {
  test('counts from the machine the key is bound to, and from nowhere else', async () => {
    const { ask, other, mesh, peers } = await found()
    expect(await ask(ADDRESS)).toMatchObject({ node: other.nodeId })
    mesh.members = [...mesh.members, machine('m2', '100.64.0.3')]
    mesh.grants.set('m2', { [PEER_CAPABILITY]: [both] })
    for (const from of ['100.64.0.3', '192.0.2.1', '127.0.0.1'])
      await expect(ask(from)).rejects.toMatchObject({ code: 'unauthorized' })
    peers.stop()
  })

  test('in the name of another node, with a key of one’s own, is refused', async () => {
    const { ask, mesh, peers, list } = await world()
    const victim = makeIdentity()
    await expect(ask(ADDRESS, { ...makeIdentity(), nodeId: victim.nodeId })).rejects.toMatchObject({ code: 'unauthorized' })
    mesh.grants.clear()
    await expect(ask(ADDRESS)).rejects.toMatchObject({ code: 'unauthorized' })
    expect(await list()).toEqual([])
    peers.stop()
  })
})

test('trust that was ended stays ended and is shown, until it is taken back', async () => {
  const { peers, other, ask, list, clock } = await found()
  await peers.handlers.removePeer({ params: { id: other.nodeId } }, call)
  clock.advance(120_000)
  await settled()
  expect(await list()).toMatchObject([
    { runsOurs: false, weRunTheirs: false, problem: expect.stringContaining('skein peers trust') },
  ])
  expect(peers.fleet.link(other.nodeId)).toBeNull()
  expect(peers.fleet.cards()).toEqual([])
  await expect(ask(ADDRESS)).rejects.toMatchObject({ code: 'unauthorized' })
  const { body } = await peers.handlers.trustPeer({ params: { id: other.nodeId } }, call)
  expect(body).toMatchObject({ ...both, problem: null })
  expect(await ask(ADDRESS)).toMatchObject({ node: other.nodeId })
  peers.stop()
})

test('nothing is sent to an address of the mesh while the mesh is out, for it could be anybody’s', async () => {
  const { peers, mesh, other, asked, clock, list } = await found()
  mesh.outage = down
  mesh.change()
  clock.advance(1_000)
  await settled()
  const before = asked.length
  const link = peers.fleet.link(other.nodeId)
  await expect(link?.settle({ jobId: 'j', epoch: 1 })).rejects.toThrow(/It is off/)
  clock.advance(60_000)
  await settled()
  expect(asked.length).toBe(before)
  expect(await list()).toMatchObject([{ state: 'offline', problem: expect.stringContaining('It is off.') }])
  peers.stop()
})

test('without the mesh, what it once said counts for nothing', async () => {
  const { peers, other } = await found()
  peers.stop()
  const file = join(root, 'peers.json')
  const without = createPeers({
    identity: makeIdentity(),
    name: 'here',
    version: '1',
    card: async () => makeCard(other.nodeId),
    random: Math.random,
    directory: await openKnownPeers(file),
    clock: virtualClock(),
    port: () => 8080,
    transport: { fetch, listen: async () => {} },
    meshes: [],
    roles: NO_ROLES,
    warn: () => {},
  })
  expect(without.fleet.accepts(other.nodeId)).toBe(false)
  expect(without.fleet.link(other.nodeId)).toBeNull()
  await without.handlers.removePeer({ params: { id: other.nodeId } }, call)
  expect((await openKnownPeers(file)).list()).toEqual([])
})

describe('who asks for the API', () => {
  test('has the role that the mesh grants the machine it sends from, as long as the mesh is there', async () => {
    const { peers, mesh, clock } = await found()
    const from = (address: string) => peers.roleOf({ address, port: 4711 })
    expect(await from(ADDRESS)).toBeNull()
    mesh.grants.set('m1', { [API_CAPABILITY]: [{ role: 'runner' }] })
    expect(await from(ADDRESS)).toBe('runner')
    for (const address of ['100.64.0.9', '192.0.2.1', '127.0.0.1']) expect(await from(address)).toBeNull()
    mesh.outage = down
    mesh.change()
    clock.advance(1_000)
    await settled()
    expect(await from(ADDRESS)).toBeNull()
    peers.stop()
  })
})
