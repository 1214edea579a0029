import {
  ApiError,
  type ClientMessage,
  decodeLogFrame,
  type ServerMessage,
  type StreamItem,
  type Topic,
} from '#shared/contract/index.ts'

/** Takes the next item of a subscription. What comes after waits until it is done. */
export type Deliver = (item: StreamItem, cursor: number | null) => Promise<void>

/** A topic that is followed. */
export interface Following {
  /** Fulfils when the server sends what happens from now on, or when it cannot be had at the moment. */
  readonly begun: Promise<void>
  /** No item is delivered after this. */
  end(): void
}

/** What is followed, over connections that come and go: each goes on where the last one stood. */
export interface Subscriptions {
  /** @param cursor the last that was already seen; undefined: as the topic says */
  follow(topic: Topic, cursor: number | undefined, deliver: Deliver): Following
  /** Asks a new connection for all that is followed. Fulfils when the server has answered for each. */
  attach(send: (message: ClientMessage) => void): Promise<void>
  /** The connection is over. */
  detach(): void
  /** The server cannot be had for now: who waits for the beginning waits no more. */
  release(): void
  message(message: ServerMessage): Promise<void>
  /** @throws {Error} when it is no frame of a log */
  log(frame: Uint8Array): Promise<void>
}

interface Subscription {
  readonly topic: Topic
  readonly deliver: Deliver
  readonly begun: PromiseWithResolvers<void>
  /** Of the connection there is. */
  answered: PromiseWithResolvers<void>
  /** The last that was delivered; undefined: nothing yet, and no wish where to begin. */
  cursor: number | undefined
}

export function createSubscriptions(): Subscriptions {
  const open = new Map<number, Subscription>()
  let last = 0
  let send: ((message: ClientMessage) => void) | null = null

  function ask(number: number, { topic, cursor }: Subscription): void {
    send?.({ type: 'subscribe', subscription: number, topic, ...(cursor === undefined ? {} : { cursor }) })
  }
  function answer({ begun, answered }: Subscription): void {
    begun.resolve()
    answered.resolve()
  }
  function close(number: number): void {
    const subscription = open.get(number)
    if (!subscription) return
    open.delete(number)
    answer(subscription)
  }
  async function deliver(number: number, item: StreamItem, cursor: number | null): Promise<void> {
    const subscription = open.get(number)
    if (!subscription) return
    if (cursor !== null) subscription.cursor = cursor
    if (item.type === 'end' || item.type === 'error') close(number)
    await subscription.deliver(item, cursor)
  }

  return {
    follow(topic, cursor, deliverItem) {
      const number = ++last
      const subscription = {
        ...{ topic, cursor, deliver: deliverItem },
        ...{ begun: Promise.withResolvers<void>(), answered: Promise.withResolvers<void>() },
      }
      open.set(number, subscription)
      ask(number, subscription)
      return {
        begun: subscription.begun.promise,
        end() {
          if (!open.has(number)) return
          close(number)
          send?.({ type: 'unsubscribe', subscription: number })
        },
      }
    },
    async attach(sender) {
      send = sender
      const asked = [...open]
      for (const [number, subscription] of asked) {
        subscription.answered = Promise.withResolvers()
        ask(number, subscription)
      }
      await Promise.all(asked.map(([, { answered }]) => answered.promise))
    },
    detach() {
      send = null
    },
    release() {
      for (const { begun } of open.values()) begun.resolve()
    },
    async message(message) {
      switch (message.type) {
        case 'hello':
        case 'heartbeat':
        case 'lagged':
          return
        case 'subscribed': {
          const subscription = open.get(message.payload.subscription)
          if (!subscription) return
          // Where "from now on" began: after a break it goes on from there, not from then.
          if (subscription.topic.name === 'jobs' && message.cursor !== null) subscription.cursor ??= message.cursor
          return answer(subscription)
        }
        case 'event':
          return deliver(message.payload.subscription, { type: 'event', event: message.payload.event }, message.cursor)
        case 'peers': {
          const { whole, items, removed, subscription } = message.payload
          return deliver(subscription, { type: 'peers', whole, items, removed }, message.cursor)
        }
        case 'offer':
          return deliver(message.payload.subscription, { type: 'offer', offer: message.payload.offer }, message.cursor)
        case 'modelQuestion':
          return deliver(
            message.payload.subscription,
            { type: 'modelQuestion', question: message.payload.question },
            message.cursor,
          )
        case 'end':
          return deliver(message.payload.subscription, { type: 'end' }, message.cursor)
        case 'error':
          if (message.payload.subscription !== null)
            await deliver(message.payload.subscription, { type: 'error', problem: message.payload.problem }, null)
          return
      }
    },
    async log(frame) {
      const { subscription, offset, bytes } = decodeLogFrame(frame)
      const followed = open.get(subscription)
      if (!followed) return
      const from = followed.cursor ?? 0
      if (offset > from) {
        send?.({ type: 'unsubscribe', subscription })
        return deliver(subscription, { type: 'error', problem: missing(from, offset) }, null)
      }
      const fresh = bytes.subarray(Math.max(0, from - offset))
      if (fresh.length === 0) return
      const base64 = Buffer.from(fresh.buffer, fresh.byteOffset, fresh.byteLength).toString('base64')
      await deliver(subscription, { type: 'log', offset: from, base64 }, from + fresh.length)
    },
  }
}

/** A log with a hole in it would be taken for a whole one. */
const missing = (from: number, to: number) =>
  new ApiError('internal', `The server left out bytes ${from} to ${to} of the log.`, {
    remedy: `Follow it again from ${from}.`,
  }).toProblem()
