import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { nodeFiles } from '#server/lib/files.ts'
import type { Logs } from '#server/logs/index.ts'
import { createHostedFiles, followLog } from './hosted-files.ts'

/** A log in memory, of which a test decides what happens between two questions. */
function memoryLog() {
  let bytes = new Uint8Array()
  const listeners = new Set<(size: number) => void>()
  const logs = {
    size: async () => bytes.byteLength,
    follow: (_: string, listener: (size: number) => void) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    reader: () => ({ read: async (from: number, most: number) => bytes.subarray(from, from + most), close: async () => {} }),
  } as unknown as Logs
  const add = (text: string) => {
    bytes = new Uint8Array([...bytes, ...Buffer.from(text)])
    for (const listener of listeners) listener(bytes.byteLength)
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

describe('a snapshot that arrives in pieces', () => {
  const KEY = { home: 'h'.repeat(26), jobId: '0000000000000a', epoch: 1 }
  const open = () => {
    const root = mkdtempSync(join(tmpdir(), 'skein-hosted-'))
    onTestFinished(() => rmSync(root, { recursive: true, force: true }))
    return { travel: () => createHostedFiles({ root, files: nodeFiles }) }
  }
  const bundle = randomBytes(30_000)
  const whole = { total: bundle.byteLength, sha256: createHash('sha256').update(bundle).digest('hex') }
  const piece = (offset: number, end: number) => ({ ...whole, offset, body: bundle.subarray(offset, end) })

  it('goes on where it was, by a server that was started anew, and is there once it is what was sent', async () => {
    const { travel } = open()
    const before = travel()
    expect(await before.isArriving(KEY)).toBe(false)
    expect(await before.takeSnapshot(KEY, piece(0, 0))).toEqual({ bytes: 0, whole: null })
    expect(await before.takeSnapshot(KEY, piece(0, 10_000))).toEqual({ bytes: 10_000, whole: null })
    const after = travel()
    expect(await after.isArriving(KEY)).toBe(true)
    expect(await after.takeSnapshot(KEY, piece(0, 0))).toEqual({ bytes: 10_000, whole: null })
    expect(await after.takeSnapshot(KEY, piece(0, 10_000))).toEqual({ bytes: 10_000, whole: null })
    expect(await after.takeSnapshot(KEY, piece(20_000, 30_000))).toEqual({ bytes: 10_000, whole: null })
    expect(await after.takeSnapshot(KEY, piece(5_000, 20_000))).toEqual({ bytes: 20_000, whole: null })
    const last = await after.takeSnapshot(KEY, piece(20_000, 30_000))
    expect(readFileSync(last.whole ?? '').equals(bundle)).toBe(true)
    expect(await after.isArriving(KEY)).toBe(false)
    // Asked again, for the answer was lost.
    expect(await after.takeSnapshot(KEY, piece(0, 0))).toEqual(last)
    await after.remove(KEY)
    expect(await after.isArriving(KEY)).toBe(false)
  })

  it('begins anew where another bundle is sent, and where it is not what was said', async () => {
    const files = open().travel()
    await files.takeSnapshot(KEY, { ...piece(0, 10_000), sha256: 'a'.repeat(64) })
    expect(await files.takeSnapshot(KEY, piece(0, 0))).toEqual({ bytes: 0, whole: null })
    const wrong = { ...whole, offset: 0, body: randomBytes(30_000) }
    await expect(files.takeSnapshot(KEY, wrong)).rejects.toMatchObject({ code: 'snapshot_failed' })
    expect((await files.takeSnapshot(KEY, piece(0, 30_000))).bytes).toBe(30_000)
    await expect(files.takeSnapshot(KEY, { ...piece(0, 30_000), total: 20_000 })).rejects.toMatchObject({
      code: 'body_too_large',
    })
  })
})
