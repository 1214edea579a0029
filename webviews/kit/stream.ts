import { decodeLogFrame } from '#shared/contract/log-frame.ts'
import { ServerMessage } from '#shared/contract/server-message.ts'
import { SILENCE_MS, STREAM_PATH, type Topic } from '#shared/contract/stream.ts'
import type { Item } from './host.ts'
import { createPosition, type Position } from './position.ts'

/** Pauses between two tries, ms: the first, and the longest. */
const FIRST_MS = 250
const LONGEST_MS = 10_000
/** Close code of RFC 6455 by which the server says that it does not take the token. */
const POLICY_VIOLATION = 1008

export type StreamState =
  | { readonly state: 'connecting' }
  | { readonly state: 'open'; readonly node: string }
  | { readonly state: 'lost'; readonly retryInMs: number }
  | { readonly state: 'denied' }

interface Subscription {
  readonly topic: Topic
  readonly position: Position
  readonly take: (item: Item) => void
}

export interface Stream {
  subscribe(topic: Topic, cursor: number | null, take: (item: Item) => void): () => void
  /** Tries at once. */
  reconnect(): void
  close(): void
}

interface StreamDeps {
  readonly token: string
  /** Of the page: the stream is on the same host. */
  readonly origin: string
  readonly tell: (state: StreamState) => void
}

/**
 * One WebSocket for all that a page follows. When it breaks it is made again, waiting longer each time, and every subscription goes on
 * from where it stood.
 */
export function createStream({ token, origin, tell }: StreamDeps): Stream {
  const subscriptions = new Map<number, Subscription>()
  let socket: WebSocket | null = null
  let isOpen = false
  let isClosed = false
  let tries = 0
  let lastNumber = 0
  let retry: ReturnType<typeof setTimeout> | undefined
  let silence: ReturnType<typeof setTimeout> | undefined

  const send = (message: object) => socket?.send(JSON.stringify(message))
  const ask = (subscription: number, { topic, position: { cursor } }: Subscription) =>
    send({ type: 'subscribe', subscription, topic, ...(cursor === null ? {} : { cursor }) })

  function connect(): void {
    clearTimeout(retry)
    isOpen = false
    const mine = new WebSocket(origin.replace(/^http/, 'ws') + STREAM_PATH, 'skein')
    socket = mine
    mine.binaryType = 'arraybuffer'
    tell({ state: 'connecting' })
    // The token is said once the connection is there: an address or a header would be written into logs on the way.
    mine.addEventListener('open', () => send({ type: 'auth', token }))
    mine.addEventListener('message', ({ data }) => {
      if (socket !== mine) return
      listen()
      if (typeof data === 'string') control(ServerMessage.parse(JSON.parse(data)))
      else {
        const { subscription, offset, bytes } = decodeLogFrame(new Uint8Array(data as ArrayBuffer))
        receive(subscription, { type: 'log', offset, bytes }, null)
      }
    })
    mine.addEventListener('close', ({ code }) => {
      if (socket === mine) lost(code)
    })
    listen()
  }

  /** Starts to wait anew for the next word of the server. */
  function listen(): void {
    clearTimeout(silence)
    silence = setTimeout(() => breakOff(), SILENCE_MS)
  }

  function breakOff(): void {
    const broken = socket
    lost(0)
    broken?.close()
  }

  function lost(code: number) {
    clearTimeout(silence)
    socket = null
    isOpen = false
    if (isClosed) return
    if (code === POLICY_VIOLATION) return tell({ state: 'denied' })
    const pause = Math.min(LONGEST_MS, FIRST_MS * 2 ** tries++) * (0.75 + Math.random() / 4)
    tell({ state: 'lost', retryInMs: Math.round(pause) })
    retry = setTimeout(connect, pause)
  }

  function control(message: ServerMessage) {
    switch (message.type) {
      case 'hello':
        tries = 0
        isOpen = true
        tell({ state: 'open', node: message.payload.node })
        for (const [number, subscription] of subscriptions) ask(number, subscription)
        return
      case 'subscribed':
        return subscriptions.get(message.payload.subscription)?.position.begin(message.cursor)
      case 'event':
        return receive(message.payload.subscription, { type: 'event', event: message.payload.event }, message.cursor)
      case 'peers':
        return receive(message.payload.subscription, { type: 'peers', ...message.payload }, message.cursor)
      case 'end':
        return finish(message.payload.subscription, { type: 'end' })
      case 'error':
        if (message.payload.subscription !== null)
          finish(message.payload.subscription, { type: 'error', problem: message.payload.problem })
        return
      case 'lagged':
      case 'heartbeat':
      // Offers and calls of models are for editors; no page subscribes to them.
      case 'offer':
      case 'modelQuestion':
        return
    }
  }

  function receive(number: number, item: Item, cursor: number | null): void {
    const subscription = subscriptions.get(number)
    const fresh = subscription?.position.take(item, cursor)
    if (fresh === 'gap') breakOff()
    else if (fresh !== undefined && fresh !== 'seen') subscription?.take(fresh)
  }

  function finish(number: number, item: Item): void {
    const subscription = subscriptions.get(number)
    subscriptions.delete(number)
    subscription?.take(item)
  }

  connect()
  return {
    subscribe(topic, cursor, take) {
      const number = ++lastNumber
      const subscription = { topic, position: createPosition(topic, cursor), take }
      subscriptions.set(number, subscription)
      if (isOpen) ask(number, subscription)
      return () => {
        if (subscriptions.delete(number) && isOpen) send({ type: 'unsubscribe', subscription: number })
      }
    },
    reconnect() {
      tries = 0
      if (!isClosed && !isOpen) {
        const before = socket
        connect()
        before?.close()
      }
    },
    close() {
      isClosed = true
      clearTimeout(retry)
      clearTimeout(silence)
      socket?.close()
    },
  }
}
