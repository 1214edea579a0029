import { type IncomingMessage, request } from 'node:http'
import type { Readable } from 'node:stream'
import { gather } from '#server/lib/gather.ts'
import { linesOf } from '#server/lib/lines.ts'

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
  const bounds = { mostCharacters: LINE_CHARACTERS, tooLong: `A line has more than ${LINE_CHARACTERS} characters.` }
  for await (const line of linesOf(answer, bounds)) if (line.trim() !== '') yield JSON.parse(line)
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

const text = async (stream: Readable, maxBytes: number): Promise<string> =>
  (await gather(stream, maxBytes, `The answer has more than ${maxBytes} bytes.`)).toString()
