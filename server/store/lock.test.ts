import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lockDataDirectory, StoreError } from './index.ts'

let directory: string
let holders: ChildProcess[] = []
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'skein-lock-'))
})
afterEach(async () => {
  for (const holder of holders) if (holder.exitCode === null && holder.signalCode === null) await kill(holder)
  holders = []
  rmSync(directory, { recursive: true, force: true })
})

/** Another process that holds the lock until it is killed. */
async function hold(): Promise<ChildProcess> {
  const module = new URL('lock.ts', import.meta.url).href
  const program = `const { lockDataDirectory } = await import('${module}')
    await lockDataDirectory(process.argv[1]); console.log('held'); setInterval(() => {}, 1e6)`
  const holder = spawn(process.execPath, ['--input-type=module', '--eval', program, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  holders.push(holder)
  if (holder.stdout) await once(holder.stdout, 'data')
  return holder
}

async function kill(holder: ChildProcess): Promise<void> {
  const gone = once(holder, 'exit')
  holder.kill('SIGKILL')
  await gone
}

test('a directory is made, private, and can be locked again after its release', async () => {
  const path = join(directory, 'deep', 'data')
  const lock = await lockDataDirectory(path)
  expect(statSync(path).mode & 0o777).toBe(0o700)
  await expect(lockDataDirectory(path)).rejects.toMatchObject({ code: 'locked' })
  await lock.release()
  await lock.release()
  expect(existsSync(join(path, 'owner.pid'))).toBe(false)
  await (await lockDataDirectory(path)).release()
})

test('a second process is refused and told who holds the directory', async () => {
  const holder = await hold()
  const refused = expect(lockDataDirectory(directory)).rejects
  await refused.toMatchObject({ code: 'locked', message: expect.stringContaining(`pid ${holder.pid}`) })
})

test('kill -9 leaves no lock behind', async () => {
  const holder = await hold()
  await expect(lockDataDirectory(directory)).rejects.toMatchObject({ code: 'locked' })
  await kill(holder)
  await (await lockDataDirectory(directory)).release()
})

test('a directory that cannot be made is named, with what to do', async () => {
  const file = join(directory, 'file')
  writeFileSync(file, '')
  const refused = await lockDataDirectory(join(file, 'data')).catch(error => error)
  expect(refused).toBeInstanceOf(StoreError)
  expect(refused).toMatchObject({ code: 'read_only', remedy: expect.stringContaining('SKEIN_DATA_DIR') })
})
