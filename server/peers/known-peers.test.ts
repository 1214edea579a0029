import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { nodeIdOf } from './identity.ts'
import { type KnownPeer, openKnownPeers } from './known-peers.ts'

let directory: string
let file: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'peers-'))
  file = join(directory, 'peers.json')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function peer(n: number): KnownPeer {
  const publicKey = Buffer.alloc(32, n).toString('base64url')
  return {
    id: nodeIdOf(publicKey),
    name: `node-${n}`,
    publicKey,
    address: 'http://127.0.0.1:7420',
    source: 'paired',
    runsOurs: true,
    weRunTheirs: false,
    members: [],
    addedAt: '2026-01-01T00:00:00.000Z',
  }
}

test('is empty and makes no file at first', async () => {
  expect((await openKnownPeers(file)).list()).toEqual([])
  expect(readdirSync(directory)).toEqual([])
})

test('keeps what is put and forgets what is removed, over a restart', async () => {
  const first = await openKnownPeers(file)
  await Promise.all([peer(1), peer(2), peer(3)].map(one => first.put(one)))
  expect(await first.remove(peer(2).id)).toBe(true)
  expect(await first.remove(peer(2).id)).toBe(false)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readdirSync(directory)).toEqual(['peers.json'])
  const second = await openKnownPeers(file)
  expect(second.list()).toEqual([peer(1), peer(3)])
  expect(second.get(peer(2).id)).toBeNull()
})

test.each([
  '{',
  '{}',
  '[{}]',
  JSON.stringify([{ ...peer(1), id: 'A'.repeat(26) }]),
  JSON.stringify([{ ...peer(1), address: 'file:///etc/passwd' }]),
  JSON.stringify([{ ...peer(1), more: 1 }]),
  JSON.stringify([{ ...peer(1), publicKey: `${peer(1).publicKey}!` }]),
])('refuses a damaged file and keeps it: %.40s', async text => {
  writeFileSync(file, text)
  await expect(openKnownPeers(file)).rejects.toThrow(file)
  expect(readFileSync(file, 'utf8')).toBe(text)
})

test('tells of changes until told to stop', async () => {
  const peers = await openKnownPeers(file)
  const listener = vi.fn()
  const stop = peers.onChange(listener)
  await peers.put(peer(1))
  await peers.remove(peer(1).id)
  expect(listener).toHaveBeenCalledTimes(2)
  stop()
  await peers.put(peer(1))
  expect(listener).toHaveBeenCalledTimes(2)
})

test('reads what a node that knew one mesh wrote', async () => {
  const { members: _, ...before } = peer(1)
  const member = { mesh: 'tailscale', id: 'm1', runsOurs: true, weRunTheirs: false, barred: null }
  writeFileSync(
    file,
    JSON.stringify([
      { ...before, member },
      { ...before, id: peer(2).id, publicKey: peer(2).publicKey },
    ]),
  )
  const known = await openKnownPeers(file)
  expect(known.get(peer(1).id)?.members).toEqual([{ ...member, user: null, tags: [] }])
  expect(known.get(peer(2).id)?.members).toEqual([])
})
