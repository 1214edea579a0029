import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '#server/lib/clock.ts'
import { nodeFiles } from '#server/lib/files.ts'
import { ApiError } from '#shared/contract/index.ts'
import type { AttemptEnd, AttemptReport } from '#shared/model/index.ts'
import { NO_USAGE } from '#shared/model/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { createBringingHome } from './bringing-home.ts'

const COMMIT = 'c'.repeat(40)
const BUNDLE = randomBytes(100_000)
const signal = new AbortController().signal
const job = {
  id: '0000000000000a',
  epoch: 3,
  snapshot: { commit: 'a'.repeat(40) },
  spec: { limits: {}, checks: [], repository: { path: '/', include: 'head' } },
}

/** A home that asks for the result of an attempt; `send` is what its worker does each time. */
function home(send: (offset: number, time: number) => Iterable<Uint8Array>, resultBytes = 1_000_000, free = 1_000_000) {
  const attempts = mkdtempSync(join(tmpdir(), 'skein-home-'))
  onTestFinished(() => rmSync(attempts, { recursive: true, force: true }))
  const received: Buffer[] = []
  const asked: number[] = []
  const bringHome = createBringingHome(
    {
      clock: virtualClock(),
      settings: { limits: { diskBytes: 10_000_000 }, resultBytes, storage: { reserveBytes: 1000 } },
      freeBytes: async () => free,
      directories: { attempts },
      files: nodeFiles,
      secrets: { forms: () => [] },
      workspace: {
        findInResult: async () => [],
        async receiveResult(file: string) {
          received.push(readFileSync(file))
          return { commit: COMMIT }
        },
      },
    } as never,
    { usage: async () => NO_USAGE } as never,
  )
  const source = {
    link: {
      async *result(_: unknown, offset: number) {
        asked.push(offset)
        yield* send(offset, asked.length)
      },
    },
    name: { jobId: job.id, epoch: job.epoch },
    writer: { offset: 0, dropped: 0, flush: async () => 0 },
    logOffset: 0,
  }
  return {
    received,
    asked,
    left: () => readdirSync(attempts),
    bring(bundle: AttemptReport['bundle']) {
      const end = { kind: 'result', result: { commit: COMMIT, checks: [] }, failure: null } as unknown as AttemptEnd
      const report = { end, logBytes: 0, bundle } as AttemptReport & { end: AttemptEnd }
      return bringHome.end(job as never, report, source as never, signal)
    },
    forget: () => bringHome.forget(job),
  }
}

const stated = (bytes: Buffer) => ({ bytes: bytes.byteLength, sha256: createHash('sha256').update(bytes).digest('hex') })

/** The bundle from an offset, in pieces, up to where the connection breaks. */
function* upTo(end: number, offset: number): Generator<Uint8Array> {
  for (let at = offset; at < end; at += 10_000) yield BUNDLE.subarray(at, Math.min(at + 10_000, end))
  if (end < BUNDLE.byteLength) throw new Error('the connection broke')
}

describe('a result that comes from another node', () => {
  it('goes on where it broke off, and nothing of it stays when it is no longer wanted', async () => {
    const { bring, asked, received, left, forget } = home((offset, time) => upTo(time * 40_000, offset))
    for (let time = 1; time < 3; time++) await expect(bring(stated(BUNDLE))).rejects.toThrow('broke')
    expect(left()).toHaveLength(1)
    expect(await bring(stated(BUNDLE))).toMatchObject({ kind: 'result' })
    expect(asked).toEqual([0, 40_000, 80_000])
    expect(received[0]?.equals(BUNDLE)).toBe(true)
    await forget()
    expect(left()).toEqual([])
  })

  it('is fetched once more when it is not what was said, and refused when it is not again', async () => {
    const other = (time: number) => (time === 1 ? randomBytes(100_000) : BUNDLE)
    const once = home((_, time) => [other(time)])
    expect(await once.bring(stated(BUNDLE))).toMatchObject({ kind: 'result' })
    expect(once.asked).toEqual([0, 0])
    const twice = home(() => [randomBytes(100_000)])
    expect(await twice.bring(stated(BUNDLE))).toMatchObject({ kind: 'failed', failure: { code: 'result_refused' } })
    expect(twice.asked).toEqual([0, 0])
    expect(twice.received).toEqual([])
  })

  it('is not all there yet when less came than was said, although the connection ended well', async () => {
    const { bring } = home(offset => [BUNDLE.subarray(offset, offset + 60_000)])
    await expect(bring(stated(BUNDLE))).rejects.toThrow('60000 of 100000')
    expect(await bring(stated(BUNDLE))).toMatchObject({ kind: 'result' })
  })

  it('is refused before a byte is fetched when it is said to be too large, and while it comes when nothing was said', async () => {
    const told = home(offset => upTo(BUNDLE.byteLength, offset), 50_000)
    expect(await told.bring(stated(BUNDLE))).toMatchObject({
      failure: {
        code: 'result_refused',
        detail: expect.stringContaining('more than the 50000 bytes that this node takes (fleet.resultBytes)'),
      },
    })
    expect(told.asked).toEqual([])
    const full = home(offset => upTo(BUNDLE.byteLength, offset), 1_000_000, 60_000)
    expect(await full.bring(stated(BUNDLE))).toMatchObject({
      failure: { detail: expect.stringContaining('59000 bytes that are free') },
    })
    const untold = home(offset => upTo(BUNDLE.byteLength, offset), 50_000)
    expect(await untold.bring(null)).toMatchObject({ failure: { code: 'result_refused' } })
    expect(untold.received).toEqual([])
    const older = home(offset => upTo(BUNDLE.byteLength, offset))
    expect(await older.bring(null)).toMatchObject({ kind: 'result' })
  })
})

describe('the log of an attempt that has ended', () => {
  const settings = { limits: { diskBytes: 1 }, resultBytes: 1, storage: { reserveBytes: 0 } }
  const bringHome = createBringingHome({ clock: systemClock, settings } as never, { usage: async () => NO_USAGE } as never)

  /** A worker that sends as much of the log as it is told to before each time it breaks off. */
  function worker(parts: number[]) {
    const over = new AbortController()
    const asked: number[] = []
    const writer = {
      ...{ offset: 0, dropped: 0, flush: async () => writer.offset },
      async write(bytes: Uint8Array) {
        writer.offset += bytes.byteLength
      },
    }
    const link = {
      async *log(_: unknown, offset: number) {
        // Who goes on asking a node that is gone is stopped here, so that the test ends.
        if (asked.push(offset) > parts.length + 2) over.abort()
        yield new Uint8Array(parts[asked.length - 1] ?? 0)
        if (writer.offset < 100) throw new ApiError('peer_unreachable', 'it is gone')
      },
    }
    const report = { end: { kind: 'stopped', stop: 'run_timeout' }, logBytes: 100, bundle: null }
    const source = { link, name: { jobId: job.id, epoch: job.epoch }, writer, logOffset: 0 }
    return { asked, end: () => bringHome.end(job as never, report as never, source as never, over.signal) }
  }

  it('is fetched from where it broke off as long as more of it comes', async () => {
    const { asked, end } = worker([30, 30, 40])
    expect(await end()).toMatchObject({ kind: 'stopped' })
    expect(asked).toEqual([0, 30, 60])
  })

  it('is not waited for while its node is gone: whoever follows the attempt has to hear of that', async () => {
    const { asked, end } = worker([30])
    await expect(end()).rejects.toThrow('it is gone')
    expect(asked).toEqual([0, 30])
  })
})
