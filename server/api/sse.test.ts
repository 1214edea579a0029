import { createParser } from 'eventsource-parser'
import { expect, test } from 'vitest'
import { HEARTBEAT_MS } from '#shared/contract/index.ts'
import type { JobEvent } from '#shared/model/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { sseBytes } from './sse.ts'

const event = (n: number, detail = ''): JobEvent => ({
  seq: n,
  jobId: '0123456789abcd',
  n,
  at: '2026-01-01T00:00:00.000Z',
  body: { type: 'warning', code: 'x', detail },
})

function stream(events: AsyncIterable<JobEvent>) {
  const clock = virtualClock()
  const failures: unknown[] = []
  const reader = sseBytes(events, { clock, broken: cause => failures.push(cause) })
    .pipeThrough(new TextDecoderStream())
    .getReader()
  return { clock, failures, reader }
}

test('events arrive as they were, line breaks and all', async () => {
  const sent = [event(1, 'a\nid: 9\n\ndata: b\r\n'), event(2, '\u2028 ü')]
  async function* events() {
    yield* sent
  }
  const got: unknown[] = []
  const parser = createParser({ onEvent: ({ id, event: name, data }) => void got.push([id, name, JSON.parse(data)]) })
  const { reader } = stream(events())
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) parser.feed(piece.value)
  expect(got).toEqual(sent.map(one => [String(one.n), 'warning', one]))
})

test('silence is broken by comments, and the event that was awaited is not lost', async () => {
  const coming = Promise.withResolvers<JobEvent>()
  async function* events() {
    yield await coming.promise
  }
  const { clock, reader } = stream(events())
  for (let i = 0; i < 2; i++) {
    const piece = reader.read()
    while (clock.waiting() === 0) await new Promise(setImmediate)
    clock.advance(HEARTBEAT_MS)
    expect((await piece).value).toBe(':\n\n')
  }
  coming.resolve(event(1))
  expect((await reader.read()).value).toMatch(/^id: 1\n/)
  expect((await reader.read()).done).toBe(true)
  expect(clock.waiting()).toBe(0)
})

test('events that fail end the stream, and that is told', async () => {
  const failure = new Error('disk gone')
  // biome-ignore lint/correctness/useYield: fails before it has anything to give
  async function* events(): AsyncGenerator<JobEvent> {
    throw failure
  }
  const { failures, reader } = stream(events())
  expect((await reader.read()).done).toBe(true)
  expect(failures).toEqual([failure])
})
