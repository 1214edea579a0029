import { WebSocket } from 'ws'
import { type ClientMessage, HEARTBEAT_MS, ServerMessage, STREAM_PATH } from '#shared/contract/index.ts'
import { frames, refusal } from '../../stream.ts'
import type { Subscriptions } from './subscriptions.ts'

/** A server that says nothing for so long is gone, whatever the socket says. */
const SILENCE_MS = 3 * HEARTBEAT_MS

/** One connection to the server's WebSocket. */
export interface Wire {
  send(message: ClientMessage): void
  close(): void
}

/**
 * Opens a connection, subscribes to all that is followed, and hands on what comes until it ends.
 * @param ready told when the server has said who it is
 * @returns why it ended @throws {CliError} when the token is refused
 */
export async function runWire(
  server: { url: string; token: string | null },
  subscriptions: Subscriptions,
  ready: (wire: Wire, node: string) => void,
  signal: AbortSignal,
): Promise<string> {
  const socket = new WebSocket(server.url.replace(/^http/, 'ws') + STREAM_PATH, {
    headers: server.token === null ? {} : { authorization: `Bearer ${server.token}` },
    perMessageDeflate: false,
  })
  let reason = 'the connection ended'
  socket.on('error', error => {
    reason = error.message || 'connection refused'
  })
  socket.on('close', (_, text) => {
    if (text.length > 0) reason = text.toString()
  })
  const throwIfRefused = refusal(socket, server.url)
  const watchdog = setInterval(() => {
    // A paused socket is this side being slow, not the server being gone.
    if (!socket.isPaused) socket.terminate()
  }, SILENCE_MS)
  const abandon = () => socket.terminate()
  signal.addEventListener('abort', abandon)
  if (signal.aborted) abandon()
  try {
    for await (const { bytes, binary } of frames(socket)) {
      watchdog.refresh()
      if (binary) {
        await subscriptions.log(bytes)
        continue
      }
      const message = ServerMessage.parse(JSON.parse(new TextDecoder().decode(bytes)))
      if (message.type === 'hello') {
        const send = (said: ClientMessage) => socket.send(JSON.stringify(said), () => {})
        for (const wanted of subscriptions.wanted()) send(wanted)
        ready({ send, close: abandon }, message.payload.node)
      }
      await subscriptions.message(message)
    }
    throwIfRefused()
    return reason
  } finally {
    clearInterval(watchdog)
    signal.removeEventListener('abort', abandon)
    socket.terminate()
  }
}
