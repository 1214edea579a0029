import { WebSocket } from 'ws'
import { ServerMessage, STREAM_PATH } from '#shared/contract/index.ts'
import { CliError, EXIT } from '../../exit-codes.ts'
import { endWhenSilent, frames, wasRefused } from '../../stream.ts'
import type { Subscriptions } from './subscriptions.ts'

const HANDSHAKE_MS = 10_000

/**
 * Opens a connection, subscribes to all that is followed, and hands on what comes until it ends.
 * @param ready told the name of the node, when it has answered for all that is followed
 * @returns why it ended @throws {CliError} when the token is refused or the server speaks otherwise
 */
export async function runWire(
  server: { readonly url: string; readonly token: string | null },
  subscriptions: Subscriptions,
  ready: (node: string) => void,
  signal: AbortSignal,
): Promise<string> {
  const socket = new WebSocket(server.url.replace(/^http/, 'ws') + STREAM_PATH, {
    headers: server.token === null ? {} : { authorization: `Bearer ${server.token}` },
    perMessageDeflate: false,
    handshakeTimeout: HANDSHAKE_MS,
  })
  let reason = 'the connection ended'
  socket.on('error', error => {
    reason = error.message || 'connection refused'
  })
  socket.on('close', (_, text) => {
    if (text.length > 0) reason = text.toString()
  })
  const isRefused = wasRefused(socket)
  using watchdog = endWhenSilent(socket)
  const abandon = () => socket.terminate()
  signal.addEventListener('abort', abandon)
  if (signal.aborted) abandon()
  let isOver = false
  try {
    for await (const { bytes, binary } of frames(socket)) {
      watchdog.heard()
      if (binary) {
        await subscriptions.log(bytes)
        continue
      }
      const message = understand(bytes, server.url)
      if (message.type === 'hello') {
        const answered = subscriptions.attach(said => socket.send(JSON.stringify(said), () => {}))
        void answered.then(() => !isOver && ready(message.payload.node))
      }
      await subscriptions.message(message)
    }
    if (isRefused()) throw refused(server)
    return reason
  } finally {
    isOver = true
    subscriptions.detach()
    signal.removeEventListener('abort', abandon)
    socket.terminate()
  }
}

function refused({ url, token }: { url: string; token: string | null }): CliError {
  return new CliError(
    EXIT.denied,
    `The Skein server at ${url} ${token === null ? 'asks for a token' : 'does not accept this token'}.`,
    {
      remedy: 'Give the token of that node: `skein token --show` prints it there.',
    },
  )
}

function understand(bytes: Uint8Array, url: string): ServerMessage {
  try {
    return ServerMessage.parse(JSON.parse(new TextDecoder().decode(bytes)))
  } catch (cause) {
    throw new CliError(EXIT.unavailable, `The server at ${url} says what this version of Skein does not understand.`, {
      remedy: 'Use the same version of Skein there and here.',
      cause,
    })
  }
}
