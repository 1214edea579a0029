import { createHash } from 'node:crypto'
import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { type Files, nodeFiles } from '#server/lib/files.ts'
import { createLogs } from './index.ts'

const ID = '0123456789abcd'
const OTHER = '0123456789abce'
const options = { maxBytes: 1024 * 1024, redact: (bytes: Uint8Array) => bytes }

function setUp() {
  const directory = mkdtempSync(join(tmpdir(), 'skein-logs-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return { directory, logs: createLogs({ directory }) }
}

async function write(logs: ReturnType<typeof createLogs>, id: string, text: string): Promise<void> {
  const writer = await logs.writer(id, options)
  await writer.write(Buffer.from(text))
  await writer.close()
}

const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString()

test('reads by offset, and nothing past the end', async () => {
  const { logs } = setUp()
  await write(logs, ID, 'hello ')
  await write(logs, ID, 'world')
  expect(await logs.size(ID)).toBe(11)
  const reader = logs.reader(ID)
  expect(textOf(await reader.read(0, 100))).toBe('hello world')
  expect(textOf(await reader.read(4, 3))).toBe('o w')
  expect(textOf((await reader.read(4, 3, 2)).subarray(2))).toBe('o w')
  expect(textOf(await reader.read(11, 10))).toBe('')
  expect(await reader.read(500, 10, 16)).toHaveLength(16)
  await reader.close()
})

test('a log nobody wrote is empty', async () => {
  const { logs, directory } = setUp()
  expect(await logs.size(ID)).toBe(0)
  expect(await logs.reader(ID).read(0, 10)).toHaveLength(0)
  const record = vi.fn(async () => {})
  await logs.seal(ID, record)
  expect(record).toHaveBeenCalledExactlyOnceWith({ bytes: 0, sha256: createHash('sha256').digest('hex') })
  await logs.remove(OTHER)
  expect(await createLogs({ directory: join(directory, 'none') }).totalBytes()).toBe(0)
})

test('is readable by its owner only', async () => {
  const { logs, directory } = setUp()
  await write(logs, ID, 'x')
  const [folder = ''] = readdirSync(directory)
  expect(statSync(join(directory, folder)).mode & 0o777).toBe(0o700)
  expect(statSync(join(directory, folder, `${ID}.log`)).mode & 0o777).toBe(0o600)
})

test('tells followers of that log the new size and the seal, until they leave', async () => {
  const { logs } = setUp()
  const heard: [string, number, boolean][] = []
  const leave = logs.follow(ID, (size, sealed) => heard.push(['first', size, sealed]))
  logs.follow(ID, (size, sealed) => heard.push(['second', size, sealed]))
  logs.follow(OTHER, (size, sealed) => heard.push(['other', size, sealed]))
  await write(logs, ID, 'abc')
  leave()
  leave()
  const written = [
    ['first', 3, false],
    ['second', 3, false],
  ]
  await logs.seal(ID, async sealed => {
    expect(sealed).toEqual({ bytes: 3, sha256: createHash('sha256').update('abc').digest('hex') })
    expect(heard).toEqual(written)
  })
  expect(heard).toEqual([...written, ['second', 3, true]])
  const full = new Error('the disk is full')
  await expect(logs.seal(ID, () => Promise.reject(full))).rejects.toBe(full)
  expect(heard).toHaveLength(3)
})

test('asks the disk once for each byte, however it comes to its seal', async () => {
  const { directory } = setUp()
  let syncs = 0
  const counting: Files = {
    ...nodeFiles,
    async open(path, mode) {
      const file = await nodeFiles.open(path, mode)
      const sync = () => {
        syncs += 1
        return file.sync()
      }
      return { ...file, sync }
    },
  }
  const logs = createLogs({ directory, files: counting })
  await write(logs, ID, 'hello')
  await logs.seal(ID, async () => {})
  expect(syncs).toBe(1)
  await write(logs, OTHER, 'hello')
  appendFileSync(join(directory, OTHER.slice(-2), `${OTHER}.log`), ' from elsewhere')
  await logs.seal(OTHER, async () => {})
  expect(syncs).toBe(3)
  // A process that did not write it cannot know.
  await createLogs({ directory, files: counting }).seal(ID, async () => {})
  expect(syncs).toBe(4)
})

test('counts and removes', async () => {
  const { logs } = setUp()
  await write(logs, ID, 'abc')
  await write(logs, OTHER, 'defgh')
  expect(await logs.totalBytes()).toBe(8)
  await logs.remove(ID)
  expect(await logs.totalBytes()).toBe(5)
  expect(await logs.size(ID)).toBe(0)
})
