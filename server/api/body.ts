import type { IncomingMessage } from 'node:http'
import { ApiError } from '#shared/contract/index.ts'

/** No honest request nests deeper, and what is accepted must be safe to walk recursively later. */
const MAX_DEPTH = 64

const UTF_8 = new TextDecoder('utf-8', { fatal: true })
/** @throws {ApiError} `unsupported_media_type` */
export function requireType(headers: IncomingMessage['headers'], wanted: 'application/json' | 'application/octet-stream'): void {
  const type = headers['content-type']
  if (type?.split(';', 1)[0]?.trim().toLowerCase() !== wanted)
    throw new ApiError(
      'unsupported_media_type',
      type === undefined ? 'The request says no content type.' : `The request says its body is ${type.slice(0, 100)}.`,
      { remedy: `Send "Content-Type: ${wanted}".` },
    )
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    throw new ApiError('unsupported_media_type', `The body is encoded as ${encoding.slice(0, 100)}.`, {
      remedy: 'Send it without Content-Encoding.',
    })
}

/**
 * Reads a body whole, within `maxBytes`, whether or not the caller says its length in advance.
 * @throws {ApiError} `body_too_large`; `malformed_body` when the caller breaks off.
 */
export function readBody(incoming: IncomingMessage, maxBytes: number): Promise<Buffer> {
  if (Number(incoming.headers['content-length'] ?? 0) > maxBytes) return Promise.reject(tooLarge(maxBytes))
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const settle = (act: () => void) => {
      incoming.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken)
      act()
    }
    const onData = (chunk: Buffer) => {
      size += chunk.length
      if (size > maxBytes) settle(() => reject(tooLarge(maxBytes)))
      else chunks.push(chunk)
    }
    const onEnd = () => settle(() => resolve(Buffer.concat(chunks, size)))
    const onBroken = () => settle(() => reject(new ApiError('malformed_body', 'The connection ended before the body did.')))
    incoming.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken)
  })
}

const tooLarge = (maxBytes: number) =>
  new ApiError('body_too_large', `A body may have ${maxBytes} bytes.`, {
    remedy: 'Send less; large inputs belong in the repository.',
  })

/**
 * Parses a body. Refuses, besides what is no JSON: bytes that are no UTF-8, nesting past 64 levels, and keys named `__proto__`,
 * which would change what an object is wherever it is copied.
 * @throws {ApiError} `malformed_body`
 */
export function parseJson(bytes: Uint8Array): unknown {
  let value: unknown
  try {
    value = JSON.parse(UTF_8.decode(bytes))
  } catch (cause) {
    throw new ApiError('malformed_body', cause instanceof SyntaxError ? 'The body is not JSON.' : 'The body is not UTF-8.')
  }
  let level = [value].filter(isObject)
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) throw new ApiError('malformed_body', `The body nests deeper than ${MAX_DEPTH} levels.`)
    if (level.some(node => Object.hasOwn(node, '__proto__')))
      throw new ApiError('malformed_body', 'The body has a key "__proto__", which is not accepted.')
    level = level.flatMap(node => Object.values(node).filter(isObject))
  }
  return value
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null
