import { expect, test } from 'vitest'
import { byteStream, firstStarted, until } from './streams.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

/** Items on demand, telling what was asked of it. */
function source(items: string[], failure?: Error) {
  const seen = { pulled: 0, ended: false }
  async function* generate() {
    try {
      for (const item of items) {
        seen.pulled++
        yield bytes(item)
      }
      if (failure) throw failure
    } finally {
      seen.ended = true
    }
  }
  return { seen, items: generate() }
}

test('a byte stream pulls only when it is read', async () => {
  const { seen, items } = source(['a', 'b', 'c'])
  const reader = byteStream(items, () => {}).getReader()
  expect(seen.pulled).toBe(0)
  await reader.read()
  expect(seen.pulled).toBe(1)
})

test('a reader that goes away ends the source', async () => {
  const { seen, items } = source(['a', 'b', 'c'])
  const reader = byteStream(items, () => {}).getReader()
  await reader.read()
  await reader.cancel()
  expect(seen.ended).toBe(true)
})

test('a source that fails is told of, once', async () => {
  const failure = new Error('disk gone')
  const told: unknown[] = []
  const text = await new Response(byteStream(source(['a'], failure).items, cause => told.push(cause))).text()
  expect([text, told]).toEqual(['a', [failure]])
})

test('the first failure of a stream is thrown before it starts, and nothing is lost otherwise', async () => {
  await expect(firstStarted(source([], new Error('no such file')).items)).rejects.toThrow('no such file')
  const started = await firstStarted(source(['a', 'b']).items)
  expect(await new Response(byteStream(started, () => {})).text()).toBe('ab')
})

test('until ends at the signal, even while an item is awaited', async () => {
  const stop = new AbortController()
  async function* endless() {
    yield 1
    await new Promise(() => {})
  }
  const got: number[] = []
  for await (const item of until([new AbortController().signal, stop.signal], endless())) {
    got.push(item)
    queueMicrotask(() => stop.abort())
  }
  expect(got).toEqual([1])
})

test('until passes everything on and closes what it reads', async () => {
  const { seen, items } = source(['a', 'b'])
  const got: Uint8Array[] = []
  for await (const item of until([new AbortController().signal], items)) got.push(item)
  expect([got.length, seen.ended]).toEqual([2, true])

  const stopped = new AbortController()
  stopped.abort()
  for await (const item of until([stopped.signal], source(['a']).items)) throw new Error(`unexpected ${item}`)
})
