import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { newJob } from '#test/contract/job.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { sqliteStore } from './index.ts'
import { openDatabase } from './open.ts'

let directory: string
let file: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'skein-open-'))
  file = join(directory, 'skein.db')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const open = () => sqliteStore({ file, clock: virtualClock() })

async function fill(jobs: number): Promise<void> {
  const store = await open()
  await Promise.all(Array.from({ length: jobs }, (_, index) => store.admit(newJob(String(index)))))
  await store.close()
}

/** Transactions in a write-ahead log: frames that say how large the database is after them (sqlite.org/fileformat2.html, 4.1). */
function commits(log: Buffer): number {
  const [logHeader, frameHeader] = [32, 24]
  const frame = frameHeader + log.readUInt32BE(8)
  const count = Math.floor((log.length - logHeader) / frame)
  return Array.from({ length: count }, (_, index) => log.readUInt32BE(logHeader + index * frame + 4)).filter(size => size > 0)
    .length
}

describe('a file that cannot be used is refused and left as it is:', () => {
  const garbage = Buffer.from('This is no database, but somebody may still want it.'.repeat(100))
  test.each([
    ['something else', 'corrupt', async () => writeFileSync(file, garbage)],
    ['a few bytes', 'corrupt', async () => writeFileSync(file, 'SQLite format 3')],
    [
      'cut short',
      'corrupt',
      async () => {
        await fill(200)
        truncateSync(file, Math.floor(readFileSync(file).length / 2))
      },
    ],
    [
      'overwritten in its schema',
      'corrupt',
      async () => {
        await fill(200)
        const bytes = readFileSync(file)
        bytes.fill(0xff, 100, 4096)
        writeFileSync(file, bytes)
      },
    ],
    [
      'newer',
      'newer',
      async () => {
        await fill(1)
        const db = new DatabaseSync(file)
        db.exec('PRAGMA user_version = 1000; PRAGMA journal_mode = DELETE')
        db.close()
      },
    ],
  ] as const)('%s', async (_, code, damage) => {
    await damage()
    const before = readFileSync(file)
    const refused = await open().catch(error => error)
    expect(refused).toMatchObject({ name: 'StoreError', code, message: expect.stringContaining(file) })
    expect(refused.remedy).not.toBe('')
    expect(readFileSync(file).equals(before)).toBe(true)
  })
})

test('a directory in place of the file is refused as unusable', async () => {
  file = directory
  await expect(open()).rejects.toMatchObject({ name: 'StoreError' })
})

describe('migrations', () => {
  const steps = ['CREATE TABLE one (x)', 'CREATE TABLE two (x)']
  const tables = (db: DatabaseSync) =>
    db
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
      .all()
      .map(({ name }) => name)

  test('go forward from where a database is', () => {
    openDatabase(file, steps.slice(0, 1)).close()
    const db = openDatabase(file, steps)
    expect(tables(db)).toEqual(['one', 'two'])
    db.close()
  })

  test('of a new database wait for the disk once', () => {
    const db = openDatabase(file)
    expect(commits(readFileSync(`${file}-wal`))).toBe(1)
    expect(db.prepare('PRAGMA auto_vacuum').get()).toEqual({ auto_vacuum: 2 })
    db.close()
  })

  test('happen whole or not at all', () => {
    openDatabase(file, steps.slice(0, 1)).close()
    expect(() => openDatabase(file, [steps[0] ?? '', 'CREATE TABLE two (x); CREATE TABLE one (x)'])).toThrow('already exists')
    const db = openDatabase(file, steps)
    expect(tables(db)).toEqual(['one', 'two'])
    db.close()
  })
})

/** Whether this machine lets us make file systems of our own, which root needs to meet one that is full or read-only. */
function mountNamespace(): string | null {
  if (process.platform !== 'linux') return 'mount namespaces are a thing of Linux'
  const tried = spawnSync('unshare', ['--mount', '--map-root-user', 'mount', '-t', 'tmpfs', 'tmpfs', tmpdir()])
  return tried.status === 0 ? null : 'this user may not make mount namespaces (unshare --mount)'
}
const missing = mountNamespace()
if (missing) console.warn(`Full and read-only disks are not tested: ${missing}`)

/** Runs a program where a small file system has been mounted on the directory; its last line of output is JSON. */
function onMount(prepare: string, program: string): unknown {
  const source = `const { sqliteStore } = await import('${new URL('index.ts', import.meta.url).href}')
    const { systemClock: clock } = await import('${new URL('../../lib/clock.ts', import.meta.url).href}')
    const { newJob } = await import('${new URL('../../../test/contract/job.ts', import.meta.url).href}')
    const file = process.argv[1] + '/skein.db'
    ${program}`
  const script = `${prepare} && exec "$0" --input-type=module --eval "$2" "$1"`
  const args = ['--mount', '--map-root-user', 'sh', '-c', script, process.execPath, directory, source]
  const output = execFileSync('unshare', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  return JSON.parse(output.trim().split('\n').at(-1) ?? '')
}

describe.skipIf(missing !== null)('where the disk does not take writes', () => {
  test('a read-only directory is refused with what to do', async () => {
    await fill(1)
    const answer = onMount(
      'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"',
      'const refused = await sqliteStore({ file, clock }).catch(error => error); console.log(JSON.stringify({ name: refused.name, code: refused.code }))',
    )
    expect(answer).toEqual({ name: 'StoreError', code: 'read_only' })
  })

  test('a full disk refuses admissions as out of space, keeps what was accepted, and goes on when there is space', () => {
    const answer = onMount(
      'mount -t tmpfs -o size=1m tmpfs "$1"',
      `const { rmSync, writeFileSync } = await import('node:fs')
      writeFileSync(process.argv[1] + '/ballast', Buffer.alloc(300_000))
      const store = await sqliteStore({ file, clock })
      const accepted = []
      let refused
      for (let index = 0; !refused; index++) {
        const job = newJob(String(index))
        await store.admit(job).then(() => accepted.push(job.job.id), error => { refused = error })
      }
      rmSync(process.argv[1] + '/ballast')
      await store.admit(newJob('later'))
      await store.close()
      const again = await sqliteStore({ file, clock })
      const kept = (await again.jobs({ before: null, limit: 100_000 })).rows.length
      console.log(JSON.stringify({ code: refused.code, status: refused.status, lost: accepted.length + 1 - kept }))`,
    )
    expect(answer).toEqual({ code: 'out_of_space', status: 507, lost: 0 })
  })
})
