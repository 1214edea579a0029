import { type IncomingMessage, request } from 'node:http'
import type { Readable } from 'node:stream'

/** Where LocalAPI listens: a Unix socket or a named pipe, or on macOS a port of loopback with a token for whoever may read it. */
export type Door = { readonly socketPath: string } | { readonly port: number; readonly token: string }

/** A failure of LocalAPI itself, such as a 404 for an address that is nobody's. */
export class LocalApiError extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.name = 'LocalApiError'
    this.status = status
  }
}

/** Longest document taken: some kilobytes a machine, for tailnets of thousands. */
const DOCUMENT_BYTES = 64 * 1024 * 1024
/** Longest line of a stream; an old daemon sends the whole network map as one. */
const LINE_CHARACTERS = 64 * 1024 * 1024
const ERROR_BYTES = 1_000

/** Any other name is refused, against pages that would ask by a name of their own. */
const HOST = 'local-tailscaled.sock'

/** Asks for a document. @throws {LocalApiError} {Error} */
export async function getJson(door: Door, path: string, signal: AbortSignal): Promise<unknown> {
  const answer = await get(door, path, signal)
  return JSON.parse(await text(answer, DOCUMENT_BYTES))
}

/** Lines of a stream, one JSON document each, until it ends or `signal` aborts. @throws {LocalApiError} {Error} */
export async function* getLines(door: Door, path: string, signal: AbortSignal): AsyncGenerator<unknown> {
  const answer = await get(door, path, signal)
  const decoder = new TextDecoder()
  let rest: string[] = []
  let length = 0
  for await (const piece of answer as AsyncIterable<Buffer>) {
    const [first = '', ...others] = decoder.decode(piece, { stream: true }).split('\n')
    rest.push(first)
    length += first.length
    if (length > LINE_CHARACTERS) throw new Error(`A line has more than ${LINE_CHARACTERS} characters.`)
    const last = others.pop()
    if (last === undefined) continue
    for (const line of [rest.join(''), ...others]) if (line.trim() !== '') yield JSON.parse(line)
    rest = [last]
    length = last.length
  }
}

async function get(door: Door, path: string, signal: AbortSignal): Promise<IncomingMessage> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const where = 'port' in door ? { host: '127.0.0.1', port: door.port, auth: `:${door.token}` } : door
    const headers = { host: HOST, 'sec-tailscale': 'localapi' }
    request({ ...where, path, headers, signal, agent: false }, resolve)
      .on('error', reject)
      .end()
  })
  if (answer.statusCode === 200) return answer
  const why = await text(answer, ERROR_BYTES).catch(() => '')
  throw new LocalApiError(answer.statusCode ?? 0, why.trim() || `it answered ${answer.statusCode}`)
}

async function text(stream: Readable, maxBytes: number): Promise<string> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of stream as AsyncIterable<Buffer>) {
    size += piece.byteLength
    if (size > maxBytes) throw new Error(`The answer has more than ${maxBytes} bytes.`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString()
}
