import type { WebSocket } from 'ws'
import { giveBack } from '#server/lib/give-back.ts'
import { MAX_BEHIND_BYTES, type ServerMessage } from '#shared/contract/index.ts'

type Part<M> = M extends ServerMessage ? Omit<M, 'ts'> : never
/** A message before its time is put on it. */
export type Outgoing = Part<ServerMessage>

/** One WebSocket with bounded memory: whoever sends waits for room first, and reads what comes next from disk. */
export interface Connection {
  send(message: Outgoing): void
  /** Takes the bytes: their memory is given back once they are on their way. */
  sendBytes(bytes: Uint8Array): void
  /**
   * Runs `work`, which may send one piece, once less than 1 MiB is on its way; one at a time, in the order asked for, so that
   * many subscriptions of one client do not all fill the same room. `waited` tells whether the reader was behind meanwhile.
   */
  inTurn(work: (waited: boolean) => void | Promise<void>): Promise<void>
  /** Whether 1 MiB or more is on its way. */
  readonly isBehind: boolean
  /** Whether a reader that is behind took something since this was asked last: then it is slow, not gone. */
  tookSomething(): boolean
  close(code: number, reason: string): void
}

export function createConnection(socket: WebSocket, now: () => number): Connection {
  let onItsWay = 0
  let took = false
  /** How often a turn had to wait for the reader. */
  let stalls = 0
  let release = () => {}
  let lastTurn: Promise<void> = Promise.resolve()
  const isBehind = () => onItsWay >= MAX_BEHIND_BYTES && socket.readyState === socket.OPEN
  socket.once('close', () => release())

  const push = (data: string | Uint8Array, bytes: number) => {
    if (socket.readyState !== socket.OPEN) return
    onItsWay += bytes
    socket.send(data, { binary: typeof data !== 'string' }, error => {
      // One that failed may still be in the hands of the system.
      if (!error && typeof data !== 'string') giveBack(data)
      took ||= isBehind()
      onItsWay -= bytes
      if (!isBehind()) release()
    })
  }

  return {
    send(message) {
      const text = JSON.stringify({ ...message, ts: new Date(now()).toISOString() })
      push(text, Buffer.byteLength(text))
    },
    sendBytes: bytes => push(bytes, bytes.byteLength),
    inTurn(work) {
      const wasBehind = isBehind()
      const before = stalls
      const mine = lastTurn.then(async () => {
        if (isBehind()) stalls += 1
        while (isBehind())
          await new Promise<void>(resolve => {
            release = resolve
          })
        await work(wasBehind || stalls !== before)
      })
      lastTurn = mine.catch(() => {})
      return mine
    },
    get isBehind() {
      return isBehind()
    },
    tookSomething() {
      const answer = took
      took = false
      return answer
    },
    close: (code, reason) => socket.close(code, reason),
  }
}
