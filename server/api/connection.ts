import type { WebSocket } from 'ws'
import { MAX_BEHIND_BYTES, type ServerMessage } from '#shared/contract/index.ts'

type Part<M> = M extends ServerMessage ? Omit<M, 'ts'> : never
/** A message before its time is put on it. */
export type Outgoing = Part<ServerMessage>

/** One WebSocket with bounded memory: whoever sends waits for room first, and reads what comes next from disk. */
export interface Connection {
  send(message: Outgoing): void
  sendBytes(bytes: Uint8Array): void
  /** Fulfils when less than 1 MiB is on its way. @returns whether it had to wait for the reader. */
  room(): Promise<boolean>
  close(code: number, reason: string): void
  readonly isOpen: boolean
}

export function createConnection(socket: WebSocket, now: () => number): Connection {
  let onItsWay = 0
  const waiting = new Set<() => void>()
  const release = () => {
    for (const wake of waiting) wake()
    waiting.clear()
  }
  socket.once('close', release)

  const push = (data: string | Uint8Array, bytes: number) => {
    if (socket.readyState !== socket.OPEN) return
    onItsWay += bytes
    socket.send(data, { binary: typeof data !== 'string' }, () => {
      onItsWay -= bytes
      if (onItsWay < MAX_BEHIND_BYTES) release()
    })
  }

  return {
    get isOpen() {
      return socket.readyState === socket.OPEN
    },
    send(message) {
      const text = JSON.stringify({ ...message, ts: new Date(now()).toISOString() })
      push(text, text.length)
    },
    sendBytes: bytes => push(bytes, bytes.byteLength),
    async room() {
      let waited = false
      while (onItsWay >= MAX_BEHIND_BYTES && socket.readyState === socket.OPEN) {
        waited = true
        await new Promise<void>(resolve => waiting.add(resolve))
      }
      return waited
    },
    close: (code, reason) => socket.close(code, reason),
  }
}
