import { WebSocket } from 'ws'
import { ApiError, type PeersChange, ServerMessage, STREAM_PATH } from '#shared/contract/index.ts'
import type { NodeId, Peer } from '#shared/model/index.ts'
import { CliError, EXIT } from './exit-codes.ts'
import { endWhenSilent, frames, refusal } from './stream.ts'

const AGAIN_MS = 1_000
const SUBSCRIPTION = 1

/**
 * The peers of a server as they change: every time all of them as they are then. A connection that breaks is made again and goes on from
 * where the last one stood.
 * @throws {CliError} when the token is refused, or the server is not there
 */
export async function* watchPeers(options: {
  readonly url: string
  readonly token: string | null
  readonly signal: AbortSignal
}): AsyncGenerator<{ readonly change: PeersChange; readonly peers: readonly Peer[] }, void> {
  const { signal } = options
  const peers = new Map<NodeId, Peer>()
  let cursor: number | null = null
  while (!signal.aborted) {
    const before: number | null = cursor
    for await (const change of connection(options, before)) {
      if (change.whole) peers.clear()
      for (const peer of change.items) peers.set(peer.id, peer)
      for (const id of change.removed) peers.delete(id)
      cursor = change.cursor
      yield { change, peers: [...peers.values()] }
    }
    if (signal.aborted) return
    if (cursor === null) throw new CliError(EXIT.unavailable, `The Skein server at ${options.url} does not tell of its peers.`)
    await new Promise(resolve => setTimeout(resolve, AGAIN_MS))
  }
}

async function* connection(
  { url, token, signal }: { url: string; token: string | null; signal: AbortSignal },
  cursor: number | null,
): AsyncGenerator<PeersChange, void> {
  const socket = new WebSocket(url.replace(/^http/, 'ws') + STREAM_PATH, {
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
    perMessageDeflate: false,
  })
  const refused = refusal(socket, url)
  const topic = { type: 'subscribe', subscription: SUBSCRIPTION, topic: { name: 'peers' } }
  socket.on('open', () => socket.send(JSON.stringify({ ...topic, ...(cursor === null ? {} : { cursor }) })))
  using watchdog = endWhenSilent(socket)
  const abandon = () => socket.terminate()
  signal.addEventListener('abort', abandon)
  if (signal.aborted) abandon()
  try {
    for await (const { bytes } of frames(socket)) {
      watchdog.heard()
      const message = ServerMessage.parse(JSON.parse(new TextDecoder().decode(bytes)))
      if (message.type === 'error') throw ApiError.fromProblem(message.payload.problem)
      if (message.type !== 'peers') continue
      const { items, removed, whole } = message.payload
      yield { cursor: message.cursor ?? 0, items, removed, whole }
    }
    refused()
  } finally {
    signal.removeEventListener('abort', abandon)
    socket.terminate()
  }
}
