import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { Readable } from 'node:stream'
import { ApiError } from '#shared/contract/index.ts'

const CONNECT_TIMEOUT_MS = 10_000
const KEEP_ALIVE_MS = 30_000
/** Largest answer taken whole, bytes; longer ones stream. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024

/** Where a provider is. What authorises is taken out of the address, so that the address may be shown. */
export interface Endpoint {
  /** Without credentials and without a slash at the end. */
  readonly url: string
  /** What the `Authorization` header says, or null. */
  readonly authorization: string | null
}

/** Reads an address that may carry credentials (`http://user:password@host`). @throws {TypeError} when it is no URL. */
export function parseEndpoint(address: string): Endpoint {
  const url = new URL(address)
  const [user, password] = [url.username, url.password].map(decodeURIComponent)
  url.username = ''
  url.password = ''
  const pair = Buffer.from(`${user}:${password}`).toString('base64')
  return { url: url.href.replace(/\/+$/, ''), authorization: user || password ? `Basic ${pair}` : null }
}

export interface Question {
  readonly method: 'GET' | 'POST' | 'HEAD' | 'DELETE'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
  readonly signal: AbortSignal
}

/**
 * One request to a provider. Not `fetch`, which gives up when the first byte takes 300 s, as it does with a large prompt on a small
 * machine; here only connecting has a limit. Redirects come back as what they are: following one would carry a key along.
 * @throws {Error} when it cannot be reached; the signal's reason when it aborts.
 */
export async function send(url: string, question: Question): Promise<Response> {
  try {
    return await sendOnce(url, question)
  } catch (error) {
    // The other side closed a connection that had been idle, just when it was used again; RFC 9110, 9.3.1.
    if (error instanceof StaleConnection && !question.signal.aborted) return sendOnce(url, question)
    throw error
  }
}

class StaleConnection extends Error {}

function sendOnce(url: string, { method, headers, body, signal }: Question): Promise<Response> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const target = new URL(url)
    const request = target.protocol === 'https:' ? httpsRequest : httpRequest
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
    const asked = request(target, { method, headers: { ...headers, ...length }, signal }, answer => resolve(toResponse(answer)))
    asked.once('socket', socket => {
      if (!socket.connecting) return
      const late = setTimeout(
        () => asked.destroy(new Error(`no connection within ${CONNECT_TIMEOUT_MS / 1000} s`)),
        CONNECT_TIMEOUT_MS,
      )
      const settle = () => clearTimeout(late)
      socket.once(target.protocol === 'https:' ? 'secureConnect' : 'connect', settle).once('close', settle)
      socket.setKeepAlive(true, KEEP_ALIVE_MS)
    })
    asked.once('error', (error: NodeJS.ErrnoException) => {
      if (signal.aborted) reject(signal.reason)
      else
        reject(asked.reusedSocket && error.code === 'ECONNRESET' ? new StaleConnection(error.message, { cause: error }) : error)
    })
    asked.end(body)
  })
}

function toResponse(answer: IncomingMessage): Response {
  const { statusCode = 502, headers } = answer
  const hasBody = ![101, 204, 205, 304].includes(statusCode)
  if (!hasBody) answer.resume()
  const type = headers['content-type']
  const retry = headers['retry-after']
  return new Response(hasBody ? (Readable.toWeb(answer) as ReadableStream<Uint8Array>) : null, {
    status: statusCode < 200 ? 502 : statusCode,
    headers: { ...(type ? { 'content-type': type } : {}), ...(retry ? { 'retry-after': retry } : {}) },
  })
}

/** A body whole. @throws {ApiError} `provider_failed` when it is larger than `maxBytes`. */
export async function readBounded(response: Response, maxBytes = MAX_ANSWER_BYTES): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of response.body ?? []) {
    size += part.byteLength
    if (size > maxBytes) throw new ApiError('provider_failed', `The provider sent more than ${maxBytes} bytes.`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}

/** Why a request failed, in the system's words: several addresses fail with an error that says nothing itself. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; ')
  if (!(error instanceof Error)) return String(error)
  return error.message || ('code' in error ? String(error.code) : error.name)
}
