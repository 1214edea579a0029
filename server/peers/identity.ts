import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { link, open, readFile, rm, stat } from 'node:fs/promises'
import type { NodeId } from '#shared/model/index.ts'

/** Who this node is: an Ed25519 key that never leaves it. */
export interface Identity {
  readonly nodeId: NodeId
  /** The raw 32 bytes in base64url, as in a JWK (RFC 8037). */
  readonly publicKey: string
  readonly privateKey: KeyObject
}

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567'
const ID_LENGTH = 26

/** The first 130 bits of the SHA-256 of a public key, five a character (RFC 4648). */
export function nodeIdOf(publicKey: string): NodeId {
  const bits = [...createHash('sha256').update(Buffer.from(publicKey, 'base64url')).digest()]
    .map(byte => byte.toString(2).padStart(8, '0'))
    .join('')
  return Array.from({ length: ID_LENGTH }, (_, index) => BASE32[Number.parseInt(bits.slice(index * 5, index * 5 + 5), 2)]).join(
    '',
  )
}

/** Whether this is 32 bytes in base64url, written the one way there is. */
export function isPublicKey(text: string): boolean {
  const raw = Buffer.from(text, 'base64url')
  return raw.length === 32 && raw.toString('base64url') === text
}

/** The public key as Node.js and `jose` take it. @throws {Error} when it is none. */
export function keyFrom(publicKey: string): KeyObject {
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' })
}

/** Reads the node's key, or makes it on the first start (mode 0600). @throws {Error} that says what to do. */
export async function loadIdentity(file: string): Promise<Identity> {
  const text = await readFile(file, 'utf8').catch(async error => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    await makeKey(file)
    return readFile(file, 'utf8')
  })
  if (process.platform !== 'win32' && ((await stat(file)).mode & 0o077) !== 0)
    throw new Error(`The node key ${file} can be read by others. Run: chmod 600 ${file}`)
  let privateKey: KeyObject
  try {
    privateKey = createPrivateKey(text)
  } catch (cause) {
    throw new Error(
      `The node key ${file} is damaged. Restore it, or remove it to become a new node that has to be paired anew.`,
      {
        cause,
      },
    )
  }
  if (privateKey.asymmetricKeyType !== 'ed25519')
    throw new Error(`The node key ${file} is no Ed25519 key. Restore it, or remove it to become a new node.`)
  const { x: publicKey = '' } = createPublicKey(privateKey).export({ format: 'jwk' })
  return { nodeId: nodeIdOf(publicKey), publicKey, privateKey }
}

/** Whole or not at all, and never over a key that is there. */
async function makeKey(file: string): Promise<void> {
  const { privateKey } = generateKeyPairSync('ed25519')
  const draft = `${file}.${randomUUID()}`
  try {
    const handle = await open(draft, 'wx', 0o600)
    try {
      await handle.writeFile(privateKey.export({ type: 'pkcs8', format: 'pem' }))
      await handle.sync()
    } finally {
      await handle.close()
    }
    await link(draft, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await rm(draft, { force: true })
  }
}
