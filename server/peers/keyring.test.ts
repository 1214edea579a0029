import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { virtualClock } from '#test/fakes/clock.ts'
import { makeIdentity } from '#test/fakes/identity.ts'
import { createKeyring } from './keyring.ts'
import { openKnownPeers } from './known-peers.ts'
import { signRotation } from './rotation.ts'

const HOUR = 3_600_000
const clock = virtualClock()
const [first, second, third, thief] = [makeIdentity(), makeIdentity(), makeIdentity(), makeIdentity()]
const node = first.nodeId
type Key = typeof first
/** The statement by which one key of the node names the next. */
const step = (from: Key, to: Key, graceMs = HOUR, of = node) =>
  signRotation({ ...from, nodeId: of }, to.publicKey, { at: clock.now(), graceMs })

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'keyring-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

async function world() {
  const known = await openKnownPeers(join(root, 'peers.json'))
  await known.put({
    id: node,
    name: 'worker',
    publicKey: first.publicKey,
    address: 'http://127.0.0.1:1',
    source: 'paired',
    runsOurs: true,
    weRunTheirs: false,
    members: [],
    addedAt: '2026-01-01T00:00:00.000Z',
  })
  const keyring = createKeyring({ known, clock })
  const keyNow = () => known.get(node)?.publicKey
  const chain = [await step(first, second), await step(second, third)]
  return { known, keyring, keyNow, chain }
}

test('a new key is known by the statements that lead to it, from wherever one stands, trust and all', async () => {
  const { known, keyring, keyNow, chain } = await world()
  expect(await keyring.learn({ node, rotations: chain.slice(0, 1) })).toBe(true)
  expect(keyNow()).toBe(second.publicKey)
  expect(await keyring.learn({ node, rotations: chain })).toBe(true)
  expect(keyNow()).toBe(third.publicKey)
  expect(known.get(node)).toMatchObject({ runsOurs: true, source: 'paired' })
  expect((await openKnownPeers(join(root, 'peers.json'))).get(node)?.publicKey).toBe(third.publicKey)
})

test('a new key brings no trust back that was ended while it was looked at', async () => {
  const { known, keyring, chain } = await world()
  const learning = keyring.learn({ node, rotations: chain })
  await known.remove(node)
  expect(await learning).toBe(false)
  expect(known.get(node)).toBeNull()
})

describe('is no new key', () => {
  test('one that led away from a key that has another next one already: who stole an old key is late', async () => {
    const { keyring, keyNow, chain } = await world()
    await keyring.learn({ node, rotations: chain })
    expect(await keyring.learn({ node, rotations: [await step(first, thief)] })).toBe(false)
    expect(await keyring.learn({ node, rotations: [await step(second, thief)] })).toBe(false)
    expect(await keyring.learn({ node, rotations: chain.slice(0, 1) })).toBe(false)
    expect(keyNow()).toBe(third.publicKey)
  })

  test.each([
    ['named by another key', () => step({ ...thief, publicKey: first.publicKey }, second)],
    ['named for another node', () => step(first, second, HOUR, thief.nodeId)],
  ])('one that is %s', async (_, statement) => {
    const { keyring, keyNow } = await world()
    await expect(keyring.learn({ node, rotations: [await statement()] })).rejects.toMatchObject({ code: 'rotation_refused' })
    expect(keyNow()).toBe(first.publicKey)
  })

  test('something that is no statement', async () => {
    const { keyring, keyNow } = await world()
    for (const text of ['', 'a.b.c', 'e30.e30.e30'])
      await expect(keyring.learn({ node, rotations: [text] })).rejects.toMatchObject({ code: 'rotation_refused' })
    expect(keyNow()).toBe(first.publicKey)
  })

  test('one of a node that is not known', async () => {
    const { keyring } = await world()
    expect(await keyring.learn({ node: thief.nodeId, rotations: [await step(thief, second, 0, thief.nodeId)] })).toBe(false)
  })
})

describe('the old key', () => {
  test('is taken until the time that was given, and not after', async () => {
    const { known, keyring } = await world()
    await keyring.learn({ node, rotations: [await step(first, second, 60_000)] })
    const peer = () => known.get(node) ?? expect.fail('gone')
    expect(keyring.keyFor(peer(), first.publicKey)).toBe(first.publicKey)
    expect(keyring.keyFor(peer(), second.publicKey)).toBe(second.publicKey)
    expect(keyring.keyFor(peer(), thief.publicKey)).toBe(second.publicKey)
    clock.advance(60_000)
    expect(keyring.keyFor(peer(), first.publicKey)).toBe(second.publicKey)
  })

  test('is not taken for longer than a day, whatever is asked', async () => {
    const { known, keyring } = await world()
    await keyring.learn({ node, rotations: [await step(first, second, 1000 * HOUR)] })
    expect(Date.parse(known.get(node)?.oldKey?.until ?? '')).toBeLessThanOrEqual(clock.now() + 24 * HOUR)
  })
})

describe('a node that shows itself', () => {
  const never = () => Promise.reject(new Error('it was asked'))
  test('with the key its id is made of needs to say no more; with a later one it has to prove the way there', async () => {
    const known = await openKnownPeers(join(root, 'none.json'))
    const keyring = createKeyring({ known, clock })
    await keyring.requireOwn({ node, publicKey: first.publicKey }, never)
    const rotations = [await step(first, second), await step(second, third)]
    await keyring.requireOwn({ node, publicKey: third.publicKey }, async () => ({ node, rotations }))
    for (const said of [[], rotations.slice(0, 1), rotations.slice(1), [await step(first, third)]].slice(0, 3))
      await expect(
        keyring.requireOwn({ node, publicKey: third.publicKey }, async () => ({ node, rotations: said })),
      ).rejects.toMatchObject({ code: 'pairing_refused' })
    await expect(keyring.requireOwn({ node, publicKey: 'x' }, never)).rejects.toMatchObject({ code: 'pairing_refused' })
  })

  test('and is known cannot go back to its first key', async () => {
    const { keyring, chain } = await world()
    await keyring.learn({ node, rotations: chain })
    await expect(
      keyring.requireOwn({ node, publicKey: first.publicKey }, async () => ({ node, rotations: chain })),
    ).rejects.toMatchObject({ code: 'pairing_refused' })
  })

  test('and is known with an older key is known with the new one from then on', async () => {
    const { keyring, keyNow, chain } = await world()
    await keyring.requireOwn({ node, publicKey: third.publicKey }, async () => ({ node, rotations: chain }))
    expect(keyNow()).toBe(third.publicKey)
  })
})
