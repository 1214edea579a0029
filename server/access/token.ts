import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { chmod, link, open, readFile, stat, unlink } from 'node:fs/promises'
import { newToken } from '#server/lib/ids.ts'
import type { LocalToken } from './port.ts'

/** What a token may look like: long enough not to be guessed, and nothing a header could not carry. */
const SHAPE = /^[\x21-\x7e]{32,4096}$/
const OWNER_ONLY = 0o600

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** A token from its value. Digests are compared, so that neither length nor content shows in the time it takes. */
export function localToken(value: string): LocalToken {
  const expected = digest(value)
  return { value, matches: candidate => timingSafeEqual(digest(candidate), expected) }
}

/**
 * The node's own token: read from `file`, or made there on first start. Two processes that start at once agree on one.
 * @throws {Error} when the file can neither be read nor made, or holds no token.
 */
export async function loadToken(file: string): Promise<LocalToken> {
  const found = (await read(file)) ?? (await create(file))
  if (!SHAPE.test(found))
    throw new Error(
      `Failed to use the token in ${file}: it must be at least 32 printable characters on one line. Remove the file, and a new token is made.`,
    )
  return localToken(found)
}

async function read(file: string): Promise<string | null> {
  try {
    const value = (await readFile(file, 'utf8')).trim()
    // Volume mounts and copies loosen modes (Kubernetes' fsGroup does at every start), so tighten instead of refusing.
    const { mode } = await stat(file)
    if (process.platform !== 'win32' && (mode & 0o777) !== OWNER_ONLY) await chmod(file, OWNER_ONLY)
    return value
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return null
    throw new Error(`Failed to read the token in ${file}: ${message(cause)}`, { cause })
  }
}

/** Writes beside the file and links it into place: it is never seen half written, and a second maker loses the race. */
async function create(file: string): Promise<string> {
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  try {
    const handle = await open(draft, 'wx', OWNER_ONLY)
    try {
      await handle.writeFile(`${newToken()}\n`)
      await handle.sync()
    } finally {
      await handle.close()
    }
    try {
      await link(draft, file)
    } catch (cause) {
      if (!hasCode(cause, 'EEXIST')) throw cause
    } finally {
      await unlink(draft)
    }
    return (await readFile(file, 'utf8')).trim()
  } catch (cause) {
    throw new Error(`Failed to make the token in ${file}: ${message(cause)}`, { cause })
  }
}

const hasCode = (cause: unknown, code: string): boolean => cause instanceof Error && 'code' in cause && cause.code === code
const message = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
