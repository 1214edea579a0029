import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { diskUsage } from '../disk.ts'
import { removeScratch } from './scratch.ts'

test.skipIf(process.getuid?.() === 0)('directories without permissions are told of when counted, and removed', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'skein-scratch-'))
  await mkdir(join(directory, 'closed', 'deeper'), { recursive: true })
  await writeFile(join(directory, 'closed', 'deeper', 'file'), 'x')
  await chmod(join(directory, 'closed', 'deeper'), 0o555)
  await chmod(join(directory, 'closed'), 0o000)
  expect((await diskUsage([directory])).complete).toBe(false)
  await removeScratch(directory)
  expect(existsSync(directory)).toBe(false)
})

test('a link out of the directory goes, what it leads to stays', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'skein-scratch-'))
  await mkdir(join(directory, 'outside'))
  await mkdir(join(directory, 'scratch'))
  await symlink('../outside', join(directory, 'scratch', 'link'))
  await removeScratch(join(directory, 'scratch'))
  expect(existsSync(join(directory, 'scratch'))).toBe(false)
  expect(existsSync(join(directory, 'outside'))).toBe(true)
  await removeScratch(join(directory, 'scratch'))
  await rm(directory, { recursive: true })
})
