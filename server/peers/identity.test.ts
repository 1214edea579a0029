import { generateKeyPairSync } from 'node:crypto'
import { chmodSync, copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { NodeId } from '#shared/model/index.ts'
import { loadIdentity, nodeIdOf, readNodeId } from './identity.ts'

let directory: string
let file: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'identity-'))
  file = join(directory, 'node.key')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

describe('nodeIdOf', () => {
  test('is the start of the SHA-256 in base32', () => {
    // SHA-256 of 32 zero bytes: 66687aadf862bd776c8fc18b8e9f8e20 08971485…; by `base32` of coreutils.
    expect(nodeIdOf(Buffer.alloc(32).toString('base64url'))).toBe('mzuhvlpymk6xo3epygfy5h4oea')
  })
})

describe('loadIdentity', () => {
  test('makes a key that only its owner can read, and finds it again', async () => {
    const first = await loadIdentity(file)
    expect(NodeId.safeParse(first.nodeId).success).toBe(true)
    expect(Buffer.from(first.publicKey, 'base64url')).toHaveLength(32)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readdirSync(directory)).toEqual(['node.key'])
    expect(await loadIdentity(file)).toMatchObject({ nodeId: first.nodeId, publicKey: first.publicKey })
  })

  test('is one identity when two start at once', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => loadIdentity(file)))
    expect(new Set(all.map(({ nodeId }) => nodeId)).size).toBe(1)
    expect(readdirSync(directory)).toEqual(['node.key'])
  })

  test.skipIf(process.platform === 'win32').each([0o640, 0o604])('refuses a key others can read (%o)', async mode => {
    await loadIdentity(file)
    chmodSync(file, mode)
    await expect(loadIdentity(file)).rejects.toThrow(`chmod 600 ${file}`)
  })

  test('refuses a damaged key and leaves it', async () => {
    writeFileSync(file, 'not a key\n', { mode: 0o600 })
    await expect(loadIdentity(file)).rejects.toThrow('is damaged')
    expect(statSync(file).size).toBe(10)
  })

  test.each([
    ['Ed448', () => generateKeyPairSync('ed448').privateKey],
    ['X25519', () => generateKeyPairSync('x25519').privateKey],
    ['P-256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey],
    ['RSA', () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey],
  ])('refuses a key of another kind: %s', async (_, make) => {
    writeFileSync(file, make().export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
    await expect(loadIdentity(file)).rejects.toThrow('Ed25519')
  })
})

describe('a change of the key', () => {
  const NOW = Date.UTC(2026, 0, 1)
  const chain = () => JSON.parse(readFileSync(`${file}.rotations`, 'utf8')) as string[]

  test('keeps the id, through restarts and one change after another', async () => {
    const identity = await loadIdentity(file)
    const [{ nodeId, publicKey: first }] = [{ ...identity, publicKey: identity.publicKey }]
    await identity.rotate(NOW, 0)
    const second = identity.publicKey
    await identity.rotate(NOW, 0)
    expect(new Set([first, second, identity.publicKey]).size).toBe(3)
    const again = await loadIdentity(file)
    expect(again).toMatchObject({ nodeId, publicKey: identity.publicKey, rotations: identity.rotations })
    expect(again.rotations).toHaveLength(2)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readdirSync(directory)).toEqual(['node.key', 'node.key.rotations'])
    expect(await readNodeId(file)).toBe(nodeId)
  })

  test('asked for twice at once is two changes, one after the other', async () => {
    const identity = await loadIdentity(file)
    await Promise.all([identity.rotate(NOW, 0), identity.rotate(NOW, 0)])
    expect((await loadIdentity(file)).publicKey).toBe(identity.publicKey)
    expect(chain()).toHaveLength(2)
  })

  /** Cut off after the statement was written and before the key was put in its place. */
  async function cutOff() {
    const identity = await loadIdentity(file)
    const before = { nodeId: identity.nodeId, publicKey: identity.publicKey }
    copyFileSync(file, `${file}.old`)
    await identity.rotate(NOW, 0)
    copyFileSync(file, `${file}.next`)
    copyFileSync(`${file}.old`, file)
    rmSync(`${file}.old`)
    return { before, after: { nodeId: identity.nodeId, publicKey: identity.publicKey } }
  }

  test('that was cut off is finished by the next start', async () => {
    const { after } = await cutOff()
    expect(await loadIdentity(file)).toMatchObject(after)
    expect(await loadIdentity(file)).toMatchObject(after)
    expect(readdirSync(directory)).toEqual(['node.key', 'node.key.rotations'])
  })

  test('whose new key is gone never was', async () => {
    const { before } = await cutOff()
    rmSync(`${file}.next`)
    const identity = await loadIdentity(file)
    expect(identity).toMatchObject({ ...before, rotations: [] })
    await identity.rotate(NOW, 0)
    expect(await loadIdentity(file)).toMatchObject({ nodeId: before.nodeId, publicKey: identity.publicKey })
  })

  test('that was cut off before anything was written leaves the key', async () => {
    const identity = await loadIdentity(file)
    copyFileSync(file, `${file}.next`)
    expect(await loadIdentity(file)).toMatchObject({ publicKey: identity.publicKey, rotations: [] })
    expect(readdirSync(directory)).toEqual(['node.key'])
  })

  test('is not made up: a key that its statements do not lead to is refused, and so are damaged ones', async () => {
    const identity = await loadIdentity(file)
    await identity.rotate(NOW, 0)
    await identity.rotate(NOW, 0)
    writeFileSync(`${file}.rotations`, JSON.stringify(chain().slice(0, 1)))
    await expect(loadIdentity(file)).rejects.toThrow('does not fit')
    writeFileSync(`${file}.rotations`, JSON.stringify(['no statement']))
    await expect(loadIdentity(file)).rejects.toThrow('is damaged')
    writeFileSync(`${file}.rotations`, '{')
    await expect(loadIdentity(file)).rejects.toThrow('is damaged')
  })
})
