import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { link, open, readFile, rename, rm, stat } from 'node:fs/promises'
import * as z from 'zod'
import { writeWhole } from '#server/lib/write-whole.ts'
import type { NodeId } from '#shared/model/index.ts'
import { lastKey, signRotation } from './rotation.ts'

/** Who this node is: an Ed25519 key that never leaves it. */
export interface Identity {
  /** Made of its first key; it stays when the key changes. */
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

/** The identity of this node, whose key can be changed. */
export interface OwnIdentity extends Identity {
  /** How it came to its key, from its first one on; see rotation.ts. */
  readonly rotations: readonly string[]
  /**
   * Takes a new key. On disk when it fulfils; cut off in between, the next start has either key, and never a mixture.
   * @param at wall clock, ms. @param graceMs how long others still take the old key
   */
  rotate(at: number, graceMs: number): Promise<void>
}

/** Reads the node's key, or makes it on the first start (mode 0600). @throws {Error} that says what to do. */
export async function loadIdentity(file: string): Promise<OwnIdentity> {
  const [next, chainFile] = [`${file}.next`, `${file}.rotations`]
  let rotations = await readRotations(chainFile)
  let key = await readOrMakeKey(file)
  const named = lastKey(rotations)
  if (named !== null && named.to !== key.publicKey) {
    // The statement was written and the key not put in its place: nobody was told yet, and what was begun can be finished.
    const waiting = await readKey(next).catch(() => null)
    if (waiting?.publicKey === named.to && named.from === key.publicKey) {
      await rename(next, file)
      key = waiting
    } else if (named.from === key.publicKey) rotations = rotations.slice(0, -1)
    else
      throw new Error(
        `The node key ${file} does not fit ${chainFile}. Restore both from one copy, or remove both to become a new node that has to be paired anew.`,
      )
  }
  await rm(next, { force: true })
  const nodeId = nodeIdOf(lastKey(rotations.slice(0, 1))?.from ?? key.publicKey)
  let last: Promise<void> = Promise.resolve()

  async function change(at: number, graceMs: number): Promise<void> {
    await rm(next, { force: true })
    await makeKey(next)
    const made = await readKey(next)
    const statement = await signRotation({ nodeId, ...key }, made.publicKey, { at, graceMs })
    const longer = [...rotations, statement]
    await writeWhole(chainFile, JSON.stringify(longer))
    await rename(next, file)
    rotations = longer
    key = made
  }

  return {
    nodeId,
    get publicKey() {
      return key.publicKey
    },
    get privateKey() {
      return key.privateKey
    },
    get rotations() {
      return rotations
    },
    rotate(at, graceMs) {
      last = last.catch(() => {}).then(() => change(at, graceMs))
      return last
    },
  }
}

/** The id of the node that has its key there, without touching anything; null when there is none. */
export async function readNodeId(file: string): Promise<NodeId | null> {
  try {
    const [{ publicKey }, rotations] = [await readKey(file), await readRotations(`${file}.rotations`)]
    return nodeIdOf(lastKey(rotations.slice(0, 1))?.from ?? publicKey)
  } catch {
    return null
  }
}

type Key = Pick<Identity, 'publicKey' | 'privateKey'>

async function readOrMakeKey(file: string): Promise<Key> {
  return readKey(file).catch(async error => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    await makeKey(file)
    return readKey(file)
  })
}

async function readKey(file: string): Promise<Key> {
  const text = await readFile(file, 'utf8')
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
  return { publicKey, privateKey }
}

async function readRotations(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(error => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '[]'
    throw error
  })
  try {
    const isStatement = (statement: string) => lastKey([statement]) !== null
    return z.array(z.string().refine(isStatement, 'is no statement')).parse(JSON.parse(text))
  } catch (cause) {
    throw new Error(`${file}, which says how this node came to its key, is damaged. Restore it.`, { cause })
  }
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
