import { describe, expect, it } from 'vitest'
import {
  type ClientMessage,
  LOG_HEADER_BYTES,
  type ServerMessage,
  type StreamItem,
  type Topic,
  writeLogHeader,
} from '#shared/contract/index.ts'
import { createSubscriptions } from './subscriptions.ts'

const jobId = 'aaaaaa11111111' as const
const ts = '2026-01-01T00:00:00.000Z'
const LOG: Topic = { name: 'log', jobId }

const subscribed = (subscription: number, cursor: number): ServerMessage => ({
  ...{ type: 'subscribed', ts, cursor },
  payload: { subscription },
})
const event = (subscription: number, n: number): ServerMessage => ({
  ...{ type: 'event', ts, cursor: n },
  payload: { subscription, event: { seq: n, jobId, n, at: ts, body: { type: 'warning', code: 'test', detail: String(n) } } },
})

function frame(subscription: number, offset: number, text: string): Uint8Array {
  const bytes = Buffer.concat([Buffer.alloc(LOG_HEADER_BYTES), Buffer.from(text)])
  writeLogHeader(bytes, subscription, offset)
  return bytes
}

/** Subscriptions, and what was asked of the server and told to the client. */
function open() {
  const subscriptions = createSubscriptions()
  const sent: ClientMessage[] = []
  const told: [StreamItem, number | null][] = []
  const send = (message: ClientMessage) => void sent.push(message)
  const deliver = async (item: StreamItem, cursor: number | null) => void told.push([item, cursor])
  return { subscriptions, sent, told, send, deliver }
}
const isSettled = async (promise: Promise<unknown>): Promise<boolean> =>
  (await Promise.race([promise.then(() => true), new Promise(resolve => setImmediate(resolve, false))])) as boolean

describe('what is followed', () => {
  it('goes on over a new connection from the last item that was delivered', async () => {
    const { subscriptions, sent, told, send, deliver } = open()
    void subscriptions.attach(send)
    subscriptions.follow({ name: 'job', jobId }, undefined, deliver)
    subscriptions.follow(LOG, 10, deliver)
    expect(sent).toEqual([
      { type: 'subscribe', subscription: 1, topic: { name: 'job', jobId } },
      { type: 'subscribe', subscription: 2, topic: LOG, cursor: 10 },
    ])
    await subscriptions.message(event(1, 1))
    await subscriptions.message(event(1, 2))
    await subscriptions.log(frame(2, 10, 'abc'))
    sent.length = 0
    subscriptions.detach()
    void subscriptions.attach(send)
    expect(sent).toEqual([
      { type: 'subscribe', subscription: 1, topic: { name: 'job', jobId }, cursor: 2 },
      { type: 'subscribe', subscription: 2, topic: LOG, cursor: 13 },
    ])
    expect(told.map(([, cursor]) => cursor)).toEqual([1, 2, 13])
  })

  it('of all jobs goes on from where "now" was, though nothing happened before the break', async () => {
    const { subscriptions, sent, send, deliver } = open()
    void subscriptions.attach(send)
    subscriptions.follow({ name: 'jobs' }, undefined, deliver)
    await subscriptions.message(subscribed(1, 41))
    subscriptions.detach()
    sent.length = 0
    void subscriptions.attach(send)
    expect(sent).toEqual([{ type: 'subscribe', subscription: 1, topic: { name: 'jobs' }, cursor: 41 }])
  })

  it('drops bytes of a log that were delivered before, whole frames of them too', async () => {
    const { subscriptions, told, send, deliver } = open()
    void subscriptions.attach(send)
    subscriptions.follow(LOG, undefined, deliver)
    await subscriptions.log(frame(1, 0, 'abcdef'))
    await subscriptions.log(frame(1, 2, 'cd'))
    await subscriptions.log(frame(1, 4, 'efgh'))
    const texts = told.map(([item]) => item.type === 'log' && [item.offset, Buffer.from(item.base64, 'base64').toString()])
    expect(texts).toEqual([
      [0, 'abcdef'],
      [6, 'gh'],
    ])
  })

  it('has begun when the server answered, and a connection is complete when it answered for all', async () => {
    const { subscriptions, send, deliver } = open()
    const one = subscriptions.follow({ name: 'peers' }, undefined, deliver)
    subscriptions.follow(LOG, undefined, deliver)
    const complete = subscriptions.attach(send)
    await subscriptions.message(subscribed(1, 0))
    expect([await isSettled(one.begun), await isSettled(complete)]).toEqual([true, false])
    const problem = { type: 'about:blank', title: 'No', status: 404, detail: 'no', code: 'not_found' } as const
    await subscriptions.message({ type: 'error', ts, cursor: null, payload: { subscription: 2, problem } })
    expect(await isSettled(complete)).toBe(true)
  })

  it('of a log ends with a reason where bytes are missing, and skips none', async () => {
    const { subscriptions, sent, told, send, deliver } = open()
    void subscriptions.attach(send)
    subscriptions.follow(LOG, 10, deliver)
    await subscriptions.log(frame(1, 10, 'abc'))
    await subscriptions.log(frame(1, 14, 'e'))
    await subscriptions.log(frame(1, 13, 'd'))
    expect(told).toEqual([
      [{ type: 'log', offset: 10, base64: btoa('abc') }, 13],
      [{ type: 'error', problem: expect.objectContaining({ detail: 'The server left out bytes 13 to 14 of the log.' }) }, null],
    ])
    expect(sent.at(-1)).toEqual({ type: 'unsubscribe', subscription: 1 })
  })

  it('is not waited for while there is no server, and is asked for when there is', async () => {
    const { subscriptions, sent, send, deliver } = open()
    const one = subscriptions.follow({ name: 'peers' }, undefined, deliver)
    expect([await isSettled(one.begun), sent]).toEqual([false, []])
    subscriptions.release()
    expect(await isSettled(one.begun)).toBe(true)
    void subscriptions.attach(send)
    expect(sent).toHaveLength(1)
  })

  it('brings nothing more once it was ended, and nothing after its own end', async () => {
    const { subscriptions, sent, told, send, deliver } = open()
    void subscriptions.attach(send)
    const one = subscriptions.follow({ name: 'job', jobId }, undefined, deliver)
    subscriptions.follow(LOG, undefined, deliver)
    one.end()
    one.end()
    await subscriptions.message(event(1, 1))
    await subscriptions.message({ type: 'end', ts, cursor: 0, payload: { subscription: 2 } })
    await subscriptions.log(frame(2, 0, 'late'))
    expect(told).toEqual([[{ type: 'end' }, 0]])
    expect(sent.slice(2)).toEqual([{ type: 'unsubscribe', subscription: 1 }])
    sent.length = 0
    await subscriptions.attach(send)
    expect(sent).toEqual([])
  })
})
