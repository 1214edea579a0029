import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { type FileHandle, open, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createSecrets } from '#server/access/index.ts'
import { nodeFile } from '#server/lib/files.ts'
import { createWriter, type WriterOptions } from './writer.ts'

const MIB = 1024 * 1024
const asIs = (bytes: Uint8Array) => bytes
const line = (text: string) => Buffer.from(`${text}\n`)

/** A place that is full after 128 KiB, or null where none can be made. */
function smallDisk(): string | null {
  const directory = mkdtempSync(join(tmpdir(), 'skein-full-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', directory], { stdio: 'ignore' })
  } catch {
    rmSync(directory, { recursive: true })
    return null
  }
  onTestFinished(() => {
    execFileSync('umount', ['--lazy', directory])
    rmSync(directory, { recursive: true })
  })
  return directory
}

async function openAt(file: string, options: Partial<WriterOptions> = {}) {
  const handle = await open(file, 'a+', 0o600)
  const { size } = await handle.stat()
  return {
    handle,
    writer: createWriter({
      file: nodeFile(handle),
      size,
      maxBytes: 64 * MIB,
      redact: asIs,
      wrote() {},
      synced() {},
      endOfTurn: () => turn(),
      ...options,
    }),
  }
}

function newFile(): string {
  const directory = mkdtempSync(join(tmpdir(), 'skein-log-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return join(directory, 'a.log')
}

/** Holds back writes to a file until `go`; tells when the first one has come. */
function holdWrites(handle: FileHandle) {
  const begun = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  const write = handle.write.bind(handle) as (...args: unknown[]) => Promise<{ bytesWritten: number; buffer: string }>
  const spy = vi.spyOn(handle, 'write').mockImplementation(async (...args: unknown[]) => {
    begun.resolve()
    await gate.promise
    return write(...args)
  })
  return { begun: begun.promise, go: gate.resolve, count: () => spy.mock.calls.length }
}

test('numbers bytes from 0 and goes on where the file ends', async () => {
  const file = newFile()
  const first = (await openAt(file)).writer
  expect(first.offset).toBe(0)
  await first.write(line('one'))
  expect(first.offset).toBe(4)
  expect(await first.flush()).toBe(4)
  await first.close()

  const second = (await openAt(file)).writer
  expect(second.offset).toBe(4)
  await second.write(line('two'))
  await second.close()
  expect(await readFile(file, 'utf8')).toBe('one\ntwo\n')
})

test('puts the writes of one turn into one, and those that come while the disk is busy into the next', async () => {
  const sizes: number[] = []
  const { handle, writer } = await openAt(newFile(), { wrote: size => sizes.push(size) })
  const disk = holdWrites(handle)
  for (let index = 0; index < 1000; index++) void writer.write(line('0123456789'))
  await disk.begun
  for (let index = 0; index < 1000; index++) void writer.write(line('0123456789'))
  disk.go()
  await writer.close()
  expect(disk.count()).toBe(2)
  expect(sizes).toEqual([11_000, 22_000])
})

test('takes bytes given while it tells of the last ones', async () => {
  const file = newFile()
  let more = 3
  const { writer } = await openAt(file, {
    wrote() {
      if (more-- > 0) void writer.write(line(String(more)))
    },
  })
  await writer.write(line('first'))
  await writer.close()
  expect(await readFile(file, 'utf8')).toBe('first\n2\n1\n0\n')
})

test('keeps its own copy: a stream may use its buffer again', async () => {
  const file = newFile()
  const { writer } = await openAt(file)
  const buffer = Buffer.from('good')
  await writer.write(buffer)
  buffer.fill('x')
  await writer.close()
  expect(await readFile(file, 'utf8')).toBe('good')
})

test('makes a caller wait once more than 1 MiB is not on disk', async () => {
  const { handle, writer } = await openAt(newFile())
  const disk = holdWrites(handle)
  await writer.write(new Uint8Array(MIB))
  let accepted = false
  const waiting = writer.write(new Uint8Array(1)).then(() => {
    accepted = true
  })
  await disk.begun
  await turn()
  expect(accepted).toBe(false)
  disk.go()
  await waiting
  await writer.close()
})

test('says once that the limit is reached, and counts what it drops', async () => {
  const file = newFile()
  const { writer } = await openAt(file, { maxBytes: 10 })
  await writer.write(Buffer.from('12345678'))
  await writer.write(Buffer.from('90abc'))
  await writer.write(Buffer.from('defg'))
  expect(writer.dropped).toBe(7)
  const end = await writer.flush()
  const text = await readFile(file, 'utf8')
  expect(text).toBe('1234567890\n[skein] the log limit of 10 bytes is reached; what follows is dropped\n')
  expect(end).toBe(text.length)
  await writer.close()
})

test('lets exactly the limit pass without a word', async () => {
  const file = newFile()
  const { writer } = await openAt(file, { maxBytes: 4 })
  await writer.write(Buffer.from('1234'))
  await writer.close()
  expect(writer.dropped).toBe(0)
  expect(await readFile(file, 'utf8')).toBe('1234')
})

test('hashes ranges', async () => {
  const { writer } = await openAt(newFile())
  const bytes = Buffer.alloc(600_000, 'abc')
  await writer.write(bytes)
  await writer.flush()
  for (const [from, to] of [
    [0, 600_000],
    [5, 300_000],
    [7, 7],
  ] as const)
    expect(await writer.hash(from, to)).toBe(createHash('sha256').update(bytes.subarray(from, to)).digest('hex'))
  await writer.close()
})

test('strikes out a secret that comes in two pieces, and lets go of a harmless start of one at the end', async () => {
  const secrets = createSecrets()
  secrets.add('correct-horse-battery', 'KEY')
  const file = newFile()
  const { writer } = await openAt(file, { redact: secrets.stream() })
  await writer.write(Buffer.from('key correct-horse'))
  await writer.write(Buffer.from('-battery, correct-'))
  await writer.close()
  const text = await readFile(file, 'utf8')
  expect(text).not.toContain('horse')
  expect(text.endsWith(', correct-')).toBe(true)
})

test('tells of a full disk and keeps what fitted', async context => {
  const disk = smallDisk()
  if (disk === null) return context.skip('a tmpfs cannot be mounted here')
  const file = join(disk, 'a.log')
  const { handle, writer } = await openAt(file)
  await writer.write(Buffer.alloc(100 * 1024, 'a'))
  await writer.flush()
  await writer.write(Buffer.alloc(100 * 1024, 'b'))
  const full = { code: 'out_of_space', message: expect.stringContaining('disk is full') }
  await expect(writer.flush()).rejects.toMatchObject(full)
  await expect(writer.write(line('more'))).rejects.toMatchObject(full)
  await expect(writer.close()).rejects.toMatchObject(full)
  expect(handle.fd).toBe(-1)
  expect((await readFile(file)).subarray(0, 100 * 1024).every(byte => byte === 0x61)).toBe(true)
})

type Step = Uint8Array | 'flush' | 'turn' | 'reopen'

test('any writes, flushes and reopenings give exactly the bytes', async () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.uint8Array({ maxLength: 300 }) },
    fc.constantFrom('flush' as const, 'turn' as const, 'reopen' as const),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps: Step[]) => {
      const directory = mkdtempSync(join(tmpdir(), 'skein-log-'))
      const file = join(directory, 'a.log')
      try {
        const expected: Uint8Array[] = []
        let { writer } = await openAt(file)
        for (const one of steps) {
          if (one === 'flush') expect(await writer.flush()).toBe((await readFile(file)).byteLength)
          else if (one === 'turn') await turn()
          else if (one === 'reopen') {
            await writer.close()
            writer = (await openAt(file)).writer
          } else {
            expected.push(one)
            await writer.write(one)
          }
          expect(writer.offset).toBe(expected.reduce((sum, bytes) => sum + bytes.byteLength, 0))
        }
        await writer.close()
        expect((await readFile(file)).equals(Buffer.concat(expected))).toBe(true)
      } finally {
        rmSync(directory, { recursive: true })
      }
    }),
    { numRuns: 100 },
  )
})
