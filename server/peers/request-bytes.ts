import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { hasOwnMemory } from '#server/lib/give-back.ts'
import { received } from '#server/lib/received.ts'
import type { Response_ } from '#shared/contract/index.ts'

/** The part of a request that asks for bytes. */
interface Asked {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/** Status, headers and bytes of an answer. A piece of it is valid until the next is asked for. */
export type BytesAnswer = Pick<Response_, 'status' | 'ok' | 'headers'> & { readonly body: AsyncIterable<Uint8Array> }

/**
 * Asks as `fetch` does, for an answer that may be long: that copies every piece and keeps both until the next collection of garbage.
 * Each answer comes over a connection of its own. Redirects are not followed.
 */
export async function requestBytes(url: URL, { method, headers, signal }: Asked): Promise<BytesAnswer> {
  const { request } = await (url.protocol === 'https:' ? import('node:https') : import('node:http'))
  const asked = request(url, { method, headers, agent: false, ...(signal && { signal }) })
  // Once the answer has begun, its bytes tell of what breaks it.
  asked.on('error', () => {})
  // What the connection reads has memory of its own, in which the pieces of an answer lie beside what frames them.
  const own = new WeakSet<ArrayBufferLike>()
  asked.once('socket', socket =>
    socket.on('data', (bytes: Uint8Array) => {
      if (hasOwnMemory(bytes)) own.add(bytes.buffer)
    }),
  )
  asked.end()
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  const status = answer.statusCode ?? 0
  const headerOf = (name: string) => {
    const value = answer.headers[name.toLowerCase()]
    return value === undefined ? null : [value].flat().join(', ')
  }
  const body = received(answer, ({ buffer }) => own.has(buffer))
  return { status, ok: status >= 200 && status < 300, headers: { get: headerOf }, body }
}
