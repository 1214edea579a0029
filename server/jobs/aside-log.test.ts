import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLogs } from '#server/logs/index.ts'
import type { Result } from '#shared/model/index.ts'
import { createAsideLogs } from './aside-log.ts'

const JOB = '0000000000000a'
const name = { jobId: JOB, epoch: 1 }
const plain = { maxBytes: 1_000_000, redact: (bytes: Uint8Array) => bytes }
const text = (words: string) => new TextEncoder().encode(words)
const run = (logOffset: number) => ({ logOffset, logBytes: 3 })
const result = { epoch: 1, logBytes: 0, checks: [{ base: run(10), result: run(17) }] } as unknown as Result

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'skein-aside-'))
})
afterEach(() => rmSync(root, { recursive: true }))

async function setUp() {
  const logs = createLogs({ directory: join(root, 'logs') })
  const asideLogs = createAsideLogs({ logs, apart: createLogs({ directory: join(root, 'apart') }) })
  const write = async (words: string) => {
    const writer = await logs.writer(JOB, plain)
    await writer.write(text(words))
    await writer.close()
  }
  const writeAside = async (words: string) => {
    const writer = await asideLogs.writer(name, 1_000)
    await writer.write(text(words))
    await writer.close()
  }
  const read = () => readFileSync(join(root, 'logs', JOB.slice(-2), `${JOB}.log`), 'utf8')
  return { logs, asideLogs, write, writeAside, read }
}

describe('the log of an attempt that is set aside', () => {
  it('is the end of its job’s log when it wins, and its checks are where they then stand', async () => {
    const { asideLogs, write, writeAside, read } = await setUp()
    await write('first try, then another one\n')
    await writeAside('begin\n')
    await writeAside('red\nend\n')
    const placed = await asideLogs.placed(name, result, 4)
    await asideLogs.join({ id: JOB, result: placed })
    const log = read()
    expect(log).toBe('first try, then another one\n── attempt 1 ended first; this is its whole log\nbegin\nred\nend\n')
    expect(placed.logBytes).toBe(Buffer.byteLength(log))
    // Byte 10 of the job's log, where the attempt began at 4, was byte 6 of its own.
    expect(Buffer.from(log).subarray(placed.checks[0]?.base.logOffset).toString()).toBe('red\nend\n')
  })

  it('is joined once, also when that was cut off at any byte', async () => {
    const { logs, asideLogs, write, writeAside, read } = await setUp()
    await write('before\n')
    await writeAside('all of it\n')
    const placed = await asideLogs.placed(name, result, 0)
    const whole = `before\n── attempt 1 ended first; this is its whole log\nall of it\n`
    for (let cut = 7; cut <= Buffer.byteLength(whole); cut++) {
      await logs.remove(JOB)
      const writer = await logs.writer(JOB, plain)
      await writer.write(Buffer.from(whole).subarray(0, cut))
      await writer.close()
      await asideLogs.join({ id: JOB, result: placed })
      await asideLogs.join({ id: JOB, result: placed })
      expect(read()).toBe(whole)
    }
  })

  it('leaves a job alone whose newest attempt won', async () => {
    const { asideLogs, write, writeAside, read } = await setUp()
    await write('the second\n')
    await writeAside('the first\n')
    await asideLogs.join({ id: JOB, result: { ...result, epoch: 2, logBytes: 11 } })
    await asideLogs.join({ id: JOB, result: null })
    await asideLogs.forget(name)
    expect(read()).toBe('the second\n')
  })
})
