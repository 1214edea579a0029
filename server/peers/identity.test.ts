import { generateKeyPairSync } from 'node:crypto'
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { NodeId } from '#shared/model/index.ts'
import { loadIdentity, nodeIdOf } from './identity.ts'

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
