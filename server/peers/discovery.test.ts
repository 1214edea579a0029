import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { NodeInfo } from '#shared/contract/index.ts'
import { PROTOCOL } from '#shared/model/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { makeIdentity } from '#test/fakes/identity.ts'
import { down, type FakeMesh, fakeMesh, machine } from '#test/fakes/mesh.ts'
import { createDiscovery, type Discovery } from './discovery.ts'
import { type KnownPeers, openKnownPeers, rightsNow } from './known-peers.ts'
import { PEER_CAPABILITY } from './rights.ts'

const PORT = 8080
const FULL = { [PEER_CAPABILITY]: [{ runsOurs: true, weRunTheirs: true }] }
const both = { runsOurs: true, weRunTheirs: true }
const none = { runsOurs: false, weRunTheirs: false }
const infoOf = ({ nodeId, publicKey }: ReturnType<typeof makeIdentity>, name = 'desk'): NodeInfo => ({
  node: nodeId,
  publicKey,
  name,
  version: '1',
  protocol: PROTOCOL,
})

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'discovery-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

interface World {
  mesh: FakeMesh
  directory: KnownPeers
  discovery: Discovery
  clock: ReturnType<typeof virtualClock>
  /** Which node answers at an address. */
  nodes: Map<string, NodeInfo>
  asked: string[]
  listening: string[][]
  warnings: string[]
  mayOf(id: string): { runsOurs: boolean; weRunTheirs: boolean }
  /** Fulfils when what was set off has happened, and is on disk: nothing but the disk is waited for here. */
  settled(): Promise<void>
}

/** A directory that says what it is still writing. */
function watched(directory: KnownPeers): { directory: KnownPeers; writing: Set<Promise<unknown>> } {
  const writing = new Set<Promise<unknown>>()
  const watch = <T>(write: Promise<T>): Promise<T> => {
    writing.add(write)
    void write.finally(() => writing.delete(write)).catch(() => {})
    return write
  }
  const { put, remove } = directory
  return { directory: { ...directory, put: peer => watch(put(peer)), remove: id => watch(remove(id)) }, writing }
}

async function world(): Promise<World> {
  const mesh = fakeMesh()
  const clock = virtualClock()
  const { directory, writing } = watched(await openKnownPeers(join(root, 'peers.json')))
  const nodes = new Map<string, NodeInfo>()
  const [asked, listening, warnings]: [string[], string[][], string[]] = [[], [], []]
  const discovery = createDiscovery({
    mesh,
    directory,
    clock,
    rules: { accept: { users: [], tags: [] }, offer: { users: [], tags: [] } },
    self: 's'.repeat(26),
    port: () => PORT,
    async ask({ addresses: [host = ''] }) {
      asked.push(host)
      const info = nodes.get(host)
      if (!info) throw new Error('nobody')
      return info
    },
    keyFor: id => directory.get(id)?.publicKey ?? null,
    isAnswering: id => [...nodes.values()].some(({ node }) => node === id),
    listen: async addresses => void listening.push([...addresses]),
    warn: what => void warnings.push(what),
  })
  const mayOf = (id: string) => {
    const peer = directory.get(id)
    const { runsOurs, weRunTheirs } = peer ? rightsNow(peer, [mesh.kind]) : none
    return { runsOurs, weRunTheirs }
  }
  async function settled(): Promise<void> {
    for (let written = 1; written > 0; ) {
      // After this, whatever answers at once has been heard.
      await new Promise(setImmediate)
      written = writing.size
      await Promise.all(writing)
    }
  }
  return { mesh, directory, discovery, clock, nodes, asked, listening, warnings, mayOf, settled }
}

describe('finding', () => {
  test('asks each machine that is online, at the port of nodes, once it listens itself', async () => {
    const { mesh, directory, discovery, nodes, asked, listening, settled } = await world()
    const desk = { ...infoOf(makeIdentity()), name: 'a name of another' }
    mesh.members = [machine('m1', '100.64.0.2'), machine('m2', '100.64.0.3', { isOnline: false }), machine('m3', '100.64.0.4')]
    mesh.grants.set('m1', FULL)
    nodes.set('100.64.0.2', desk)
    discovery.start()
    await settled()
    expect(asked.sort()).toEqual(['100.64.0.2', '100.64.0.4'])
    expect(listening).toEqual([['100.64.0.1']])
    expect(directory.list()).toMatchObject([
      {
        id: desk.node,
        // As the mesh calls its machine, whatever the node says.
        name: 'm1',
        address: 'http://100.64.0.2:8080',
        source: 'tailnet',
        ...none,
        members: [{ id: 'm1', ...both }],
      },
    ])
    expect((await openKnownPeers(join(root, 'peers.json'))).list()).toEqual(directory.list())
    discovery.stop()
  })

  test('listens on no address that is not of this machine', async () => {
    const { mesh, discovery, listening } = await world()
    mesh.hasInterface = false
    await discovery.look()
    expect(listening).toEqual([[]])
    discovery.stop()
  })

  test('looks as soon as something changes, and once for many changes', async () => {
    const { mesh, discovery, clock, nodes, directory, asked, settled } = await world()
    discovery.start()
    await settled()
    mesh.members = [machine('m1', '100.64.0.2')]
    nodes.set('100.64.0.2', infoOf(makeIdentity()))
    for (let turn = 0; turn < 10; turn++) mesh.change()
    clock.advance(1_000)
    await settled()
    expect(directory.list()).toHaveLength(1)
    expect(asked).toEqual(['100.64.0.2'])
    discovery.stop()
    mesh.change()
    clock.advance(600_000)
    await settled()
    expect(clock.waiting()).toBe(0)
  })

  test('finds at once who asks it, though it was no node when it was asked last', async () => {
    const { mesh, discovery, clock, nodes, directory, settled } = await world()
    mesh.members = [machine('m1', '100.64.0.2')]
    discovery.start()
    await settled()
    clock.advance(5_000)
    nodes.set('100.64.0.2', infoOf(makeIdentity()))
    await settled()
    expect(directory.list()).toEqual([])
    discovery.knock({ address: '192.0.2.1', port: 1 })
    await settled()
    expect(directory.list()).toEqual([])
    discovery.knock({ address: '100.64.0.2', port: 1 })
    await settled()
    expect(directory.list()).toHaveLength(1)
    discovery.stop()
  })

  test('a machine that shows the key of a node elsewhere changes nothing for that node', async () => {
    const { mesh, discovery, nodes, directory, warnings, mayOf, settled } = await world()
    const desk = infoOf(makeIdentity())
    mesh.members = [machine('m1', '100.64.0.2')]
    mesh.grants.set('m1', FULL)
    nodes.set('100.64.0.2', desk)
    await discovery.look()
    await settled()
    mesh.members = [...mesh.members, machine('thief', '100.64.0.66')]
    nodes.set('100.64.0.66', desk)
    await discovery.look()
    await settled()
    expect(directory.list()).toMatchObject([{ address: 'http://100.64.0.2:8080', members: [{ id: 'm1' }] }])
    expect(mayOf(desk.node)).toEqual(both)
    expect(warnings).toEqual([expect.stringContaining('thief')])
    discovery.stop()
  })
})

describe('trust', () => {
  async function found() {
    const all = await world()
    const identity = makeIdentity()
    const desk = infoOf(identity)
    all.mesh.members = [machine('m1', '100.64.0.2')]
    all.mesh.grants.set('m1', FULL)
    all.nodes.set('100.64.0.2', desk)
    await all.discovery.look()
    await all.settled()
    return { ...all, desk }
  }

  test('follows the policy', async () => {
    const { mesh, discovery, desk, mayOf } = await found()
    mesh.grants.set('m1', { [PEER_CAPABILITY]: [{ runsOurs: true }] })
    await discovery.look()
    expect(mayOf(desk.node)).toEqual({ runsOurs: true, weRunTheirs: false })
    mesh.grants.clear()
    await discovery.look()
    expect(mayOf(desk.node)).toEqual(none)
    discovery.stop()
  })

  test('ends when the machine is not of the mesh any more; an outage of the mesh ends nothing, and its addresses are not used', async () => {
    const { mesh, discovery, desk, directory, mayOf } = await found()
    expect(discovery.whyNot('100.64.0.2')).toBeNull()
    mesh.outage = down
    await discovery.look()
    expect(mayOf(desk.node)).toEqual(both)
    expect(discovery.whyNot('100.64.0.2')).toBe('It is off.')
    expect(discovery.whyNot('192.0.2.1')).toBeNull()
    mesh.outage = null
    mesh.members = []
    await discovery.look()
    expect(directory.list()).toEqual([])
    discovery.stop()
  })

  test('does not pass to another key of the same machine, until the owner says so', async () => {
    const { mesh, discovery, desk, directory, nodes, clock, mayOf, settled } = await found()
    const other = infoOf(makeIdentity())
    nodes.set('100.64.0.2', other)
    discovery.start()
    await settled()
    clock.advance(60_000)
    await settled()
    expect(directory.get(desk.node)).toBeNull()
    expect(directory.get(other.node)?.members).toMatchObject([{ id: 'm1', barred: 'key_changed' }])
    expect(mayOf(other.node)).toEqual(none)
    mesh.change()
    clock.advance(600_000)
    await settled()
    expect(mayOf(other.node)).toEqual(none)
    await discovery.memberships.unbar(other.node)
    expect(mayOf(other.node)).toEqual(both)
    discovery.stop()
  })

  test('that the owner ended stays ended, whatever the policy says', async () => {
    const { discovery, desk, mayOf, clock, settled } = await found()
    await discovery.memberships.bar(desk.node)
    discovery.start()
    await settled()
    clock.advance(600_000)
    await settled()
    expect(mayOf(desk.node)).toEqual(none)
    await expect(admitted(discovery, desk.node, null, '100.64.0.2')).rejects.toMatchObject({ code: 'unauthorized' })
    discovery.stop()
  })

  test('of a paired node does not hang on the mesh', async () => {
    const { mesh, discovery, desk, directory } = await found()
    const peer = directory.get(desk.node)
    if (peer) await directory.put({ ...peer, source: 'paired', runsOurs: true, address: 'http://192.0.2.7:8080' })
    await discovery.look()
    expect(directory.get(desk.node)).toMatchObject({ address: 'http://192.0.2.7:8080' })
    mesh.members = []
    await discovery.look()
    expect(directory.list()).toMatchObject([{ id: desk.node, runsOurs: true, weRunTheirs: false }])
    expect(directory.get(desk.node)?.members).toEqual([])
    discovery.stop()
  })
})

async function admitted(discovery: Discovery, node: string, shown: string | null, address: string): Promise<boolean> {
  const trusted = await discovery.vouch(node, shown, { address, port: 4711 })
  await trusted?.admit?.()
  return trusted !== null
}

describe('a request', () => {
  test('from loopback is asked about where the mesh has no interface, and only there', async () => {
    const { mesh, discovery, asked } = await world()
    const desk = infoOf(makeIdentity())
    mesh.members = [machine('m1', '127.0.0.1')]
    mesh.grants.set('m1', FULL)
    await discovery.look()
    expect(await admitted(discovery, desk.node, desk.publicKey, '127.0.0.1')).toBe(false)
    mesh.hasInterface = false
    await discovery.look()
    expect(await admitted(discovery, desk.node, desk.publicKey, '192.0.2.1')).toBe(false)
    expect(await admitted(discovery, desk.node, desk.publicKey, '127.0.0.1')).toBe(true)
    mesh.outage = down
    await discovery.look()
    expect(discovery.whyNot('127.0.0.1')).toBeNull()
    expect(asked).toContain('127.0.0.1')
    discovery.stop()
  })

  test('of a node that is not known yet is let in by the policy, by the key it brings', async () => {
    const { mesh, discovery, directory, mayOf } = await world()
    const desk = infoOf(makeIdentity())
    mesh.members = [machine('m1', '100.64.0.2')]
    expect(await admitted(discovery, desk.node, desk.publicKey, '100.64.0.2')).toBe(false)
    expect(directory.list()).toEqual([])
    mesh.grants.set('m1', FULL)
    expect(await admitted(discovery, desk.node, null, '100.64.0.2')).toBe(false)
    expect(await admitted(discovery, desk.node, desk.publicKey, '192.0.2.1')).toBe(false)
    expect(await admitted(discovery, desk.node, desk.publicKey, '100.64.0.2')).toBe(true)
    expect(mayOf(desk.node)).toEqual(both)
  })

  test('of a node that is known counts from its own machine only, and by the policy of now', async () => {
    const { mesh, discovery, mayOf } = await world()
    const desk = infoOf(makeIdentity())
    mesh.members = [machine('m1', '100.64.0.2'), machine('m2', '100.64.0.3')]
    for (const { id } of mesh.members) mesh.grants.set(id, FULL)
    await admitted(discovery, desk.node, desk.publicKey, '100.64.0.2')
    await expect(admitted(discovery, desk.node, desk.publicKey, '100.64.0.3')).rejects.toMatchObject({ code: 'unauthorized' })
    mesh.grants.set('m1', { [PEER_CAPABILITY]: [{ runsOurs: true }] })
    await admitted(discovery, desk.node, desk.publicKey, '100.64.0.2')
    expect(mayOf(desk.node)).toEqual({ runsOurs: true, weRunTheirs: false })
    mesh.grants.clear()
    expect(await admitted(discovery, desk.node, desk.publicKey, '100.64.0.2')).toBe(false)
    mesh.outage = down
    expect(await admitted(discovery, desk.node, desk.publicKey, '100.64.0.2')).toBe(false)
  })

  test('under another key from a machine that had one is refused, and shown', async () => {
    const { mesh, discovery, directory } = await world()
    const [desk, other] = [infoOf(makeIdentity()), infoOf(makeIdentity())]
    mesh.members = [machine('m1', '100.64.0.2')]
    mesh.grants.set('m1', FULL)
    await admitted(discovery, desk.node, desk.publicKey, '100.64.0.2')
    await expect(admitted(discovery, other.node, other.publicKey, '100.64.0.2')).rejects.toMatchObject({ code: 'unauthorized' })
    expect(directory.list()).toMatchObject([{ id: other.node, members: [{ barred: 'key_changed' }] }])
  })
})
