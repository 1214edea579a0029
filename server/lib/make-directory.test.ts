import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { makeDirectory } from './make-directory.ts'

test('directories are made with those above them, private, and made again without a word', async () => {
  const root = mkdtempSync(join(tmpdir(), 'skein-make-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  const path = join(root, 'a', 'b', 'c')
  await makeDirectory(path)
  await makeDirectory(path)
  expect(statSync(path).mode & 0o777).toBe(0o700)
  writeFileSync(join(root, 'file'), '')
  await expect(makeDirectory(join(root, 'file'))).rejects.toMatchObject({ code: 'EEXIST' })
  await expect(makeDirectory(join(root, 'file', 'below'))).rejects.toMatchObject({ code: 'ENOTDIR' })
})

test.skipIf(process.platform !== 'linux')('where none can be made it fails instead of trying for ever', async () => {
  await expect(makeDirectory('/proc/nobody/deeper')).rejects.toMatchObject({ code: 'ENOENT' })
})
