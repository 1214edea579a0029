import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Call } from '#server/lib/call.ts'
import { PROTOCOL } from '#shared/model/index.ts'
import { makeCard } from '#test/fakes/card.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { makeIdentity } from '#test/fakes/identity.ts'
import { NO_ROLES } from '#test/fakes/mesh.ts'
import { nodeIdOf } from './identity.ts'
import { openKnownPeers } from './known-peers.ts'
import { proofOf } from './pairing.ts'
import { createPeers } from './peers.ts'
import { requestBytes } from './request-bytes.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pairing-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const call = (remoteAddress: string): Call => ({ signal: new AbortController().signal, remoteAddress })

async function world() {
  const file = join(directory, 'peers.json')
  const identity = makeIdentity()
  const known = await openKnownPeers(file)
  const peers = createPeers({
    ...{ identity, name: 'worker', version: '1', directory: known, clock: virtualClock(), port: () => 1 },
    ...{ card: async () => makeCard(identity.nodeId), random: Math.random },
    ...{ transport: { fetch, requestBytes, listen: async () => {} }, meshes: [], roles: NO_ROLES, warn: () => {} },
  })
  const { body: self } = await peers.handlers.nodeInfo({ query: {} }, call('127.0.0.1'))
  const { body: made } = await peers.handlers.createPairingCode({}, call('127.0.0.1'))
  const other = makeIdentity()
  const caller = { node: other.nodeId, name: 'home', publicKey: other.publicKey, version: '1', protocol: PROTOCOL }
  const nonce = 'n'.repeat(16)
  const pair = (from: string, shown = caller) => {
    const proof = proofOf(made.code, 'caller', { caller: shown, callee: self, nonce })
    return peers.handlers.pair({ body: { node: shown, port: 7420, nonce, proof, rotations: [] } }, call(from))
  }
  return { file, known, peers, caller, pair }
}

test.each([
  ['127.0.0.1', 'http://127.0.0.1:7420'],
  ['::ffff:10.0.0.7', 'http://10.0.0.7:7420'],
  ['fd7a::1', 'http://[fd7a::1]:7420'],
  ['fe80::1%eth0', 'http://[fe80::1]:7420'],
])('a node that paired from %s is known as %s, after a restart too', async (from, address) => {
  const { file, caller, peers, pair } = await world()
  await pair(from)
  expect((await openKnownPeers(file)).get(caller.node)).toMatchObject({ address, runsOurs: false, weRunTheirs: true })
  expect(peers.fleet.accepts(caller.node)).toBe(true)
  expect(peers.fleet.link(caller.node)).toBeNull()
  await peers.handlers.removePeer({ params: { id: caller.node } }, call('127.0.0.1'))
  expect(peers.fleet.accepts(caller.node)).toBe(false)
})

test('a key that is another than the id says, or none, does not get in, and does not use the code up', async () => {
  const { known, caller, pair } = await world()
  const refused = { code: 'pairing_refused' }
  await expect(pair('127.0.0.1', { ...caller, node: 'a'.repeat(26) })).rejects.toMatchObject(refused)
  const short = Buffer.alloc(31).toString('base64url')
  await expect(pair('127.0.0.1', { ...caller, node: nodeIdOf(short), publicKey: short })).rejects.toMatchObject(refused)
  await expect(pair('127.0.0.1', { ...caller, publicKey: `${caller.publicKey}!` })).rejects.toMatchObject(refused)
  expect(known.list()).toEqual([])
  await pair('127.0.0.1')
  expect(known.list()).toHaveLength(1)
})

test('a node does not get in under the name of this one, or of another that is known here', async () => {
  const { known, peers, caller, pair } = await world()
  await expect(pair('10.0.0.7', { ...caller, name: 'worker' })).rejects.toMatchObject({ code: 'pairing_refused' })
  const trusted = { publicKey: caller.publicKey, source: 'paired' as const, runsOurs: true, weRunTheirs: false }
  const at = { address: 'http://10.0.0.9:1', members: [], addedAt: '2026-01-01T00:00:00.000Z' }
  await known.put({ id: 'b'.repeat(26), name: 'desk', ...trusted, ...at })
  const { body } = await peers.handlers.createPairingCode({}, call('127.0.0.1'))
  const { body: self } = await peers.handlers.nodeInfo({ query: {} }, call('127.0.0.1'))
  const shown = { ...caller, name: 'desk' }
  const nonce = 'm'.repeat(16)
  const proof = proofOf(body.code, 'caller', { caller: shown, callee: self, nonce })
  const paired = peers.handlers.pair({ body: { node: shown, port: 1, nonce, proof, rotations: [] } }, call('10.0.0.7'))
  await expect(paired).rejects.toMatchObject({ code: 'pairing_refused', message: expect.stringContaining('desk') })
})

test('statements that are none, and nodes that are not known, are refused alike', async () => {
  const { peers, caller, pair } = await world()
  await pair('10.0.0.7')
  const tell = (node: string) => peers.handlers.learnKeys({ body: { node, rotations: ['none'] } }, call('10.0.0.8'))
  const refused = { code: 'rotation_refused' }
  await expect(tell(caller.node)).rejects.toMatchObject(refused)
  await expect(tell('c'.repeat(26))).rejects.toMatchObject(refused)
})
