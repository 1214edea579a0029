import { describe, expect, it } from 'vitest'
import type { Logs } from '#server/logs/index.ts'
import { followLog } from './hosted-files.ts'

/** A log in memory, of which a test decides what happens between two questions. */
function memoryLog() {
  let bytes = new Uint8Array()
  const listeners = new Set<() => void>()
  const logs = {
    size: async () => bytes.byteLength,
    follow: (_: string, listener: () => void) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    reader: () => ({ read: async (from: number, most: number) => bytes.subarray(from, from + most), close: async () => {} }),
  } as unknown as Logs
  const add = (text: string) => {
    bytes = new Uint8Array([...bytes, ...Buffer.from(text)])
    for (const listener of listeners) listener()
  }
  return { logs, add, followers: () => listeners.size }
}

async function read(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of stream) parts.push(part)
  return Buffer.concat(parts).toString()
}

describe('the log of an attempt, followed to its end', () => {
  it('misses no end that comes while it is asked after', async () => {
    const { logs, add, followers } = memoryLog()
    let tell = () => {}
    let isOver = false
    const attempt = {
      isOver: async () => {
        const answer = isOver
        // After the answer was made up, and before anybody could wait for news.
        if (!isOver) add('last words')
        isOver = true
        tell()
        return answer
      },
      onNews: (listener: () => void) => {
        tell = listener
        return () => {}
      },
    }
    expect(await read(followLog(logs, 'a', 0, attempt, new AbortController().signal))).toBe('last words')
    expect(followers()).toBe(0)
  })

  it('ends when nobody wants it any more, although the attempt goes on', async () => {
    const { logs, add } = memoryLog()
    const stop = new AbortController()
    const attempt = { isOver: async () => false, onNews: () => () => {} }
    const stream = followLog(logs, 'a', 2, attempt, stop.signal)
    add('one')
    const first = await stream.next()
    expect(Buffer.from(first.value ?? []).toString()).toBe('e')
    const next = stream.next()
    stop.abort()
    expect((await next).done).toBe(true)
  })
})
