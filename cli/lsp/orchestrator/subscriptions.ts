import { type ClientMessage, decodeLogFrame, type ServerMessage, type StreamItem, type Topic } from '#shared/contract/index.ts'

/** Takes the next item of a subscription. What comes after waits until it is done. */
export type Deliver = (item: StreamItem, cursor: number | null) => Promise<void>

interface Subscription {
  readonly topic: Topic
  readonly deliver: Deliver
  /** The last that was delivered; undefined: nothing yet, and no wish where to begin. */
  cursor: number | undefined
}

/** What is followed, over connections that come and go: each goes on where the last one stood. */
export interface Subscriptions {
  /** @returns its number on the wire */
  add(topic: Topic, cursor: number | undefined, deliver: Deliver): number
  remove(number: number): void
  /** What a new connection has to ask for. */
  wanted(): Extract<ClientMessage, { type: 'subscribe' }>[]
  message(message: ServerMessage): Promise<void>
  log(frame: Uint8Array): Promise<void>
}

export function createSubscriptions(): Subscriptions {
  const open = new Map<number, Subscription>()
  let last = 0
  const ask = (subscription: number, { topic, cursor }: Subscription) =>
    ({ type: 'subscribe', subscription, topic, ...(cursor === undefined ? {} : { cursor }) }) as const

  async function deliver(number: number, item: StreamItem, cursor: number | null): Promise<void> {
    const subscription = open.get(number)
    if (!subscription) return
    if (cursor !== null) subscription.cursor = cursor
    if (item.type === 'end' || item.type === 'error') open.delete(number)
    await subscription.deliver(item, cursor)
  }

  return {
    add(topic, cursor, deliverItem) {
      open.set(++last, { topic, cursor, deliver: deliverItem })
      return last
    },
    remove: number => void open.delete(number),
    wanted: () => [...open].map(([number, subscription]) => ask(number, subscription)),
    async message(message) {
      switch (message.type) {
        case 'hello':
        case 'heartbeat':
        case 'lagged':
          return
        case 'subscribed': {
          const subscription = open.get(message.payload.subscription)
          // Where "from now on" began: after a break it goes on from there, not from then.
          if (subscription?.topic.name === 'jobs' && message.cursor !== null) subscription.cursor ??= message.cursor
          return
        }
        case 'event':
          return deliver(message.payload.subscription, { type: 'event', event: message.payload.event }, message.cursor)
        case 'peers': {
          const { whole, items, removed, subscription } = message.payload
          return deliver(subscription, { type: 'peers', whole, items, removed }, message.cursor)
        }
        case 'offer':
          return deliver(message.payload.subscription, { type: 'offer', offer: message.payload.offer }, message.cursor)
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
      const from = open.get(subscription)?.cursor ?? 0
      const fresh = bytes.subarray(Math.max(0, from - offset))
      if (fresh.length === 0) return
      const start = Math.max(from, offset)
      await deliver(subscription, { type: 'log', offset: start, base64: Buffer.from(fresh).toString('base64') }, start + fresh.length)
    },
  }
}
