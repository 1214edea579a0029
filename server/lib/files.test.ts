import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { filesContract } from '#test/contract/files.ts'
import { nodeFiles } from './files.ts'

function directory(): string {
  const made = mkdtempSync(join(tmpdir(), 'skein-files-'))
  onTestFinished(() => rmSync(made, { recursive: true }))
  return made
}

filesContract('the real disk', () => ({ files: nodeFiles, root: directory() }))

test('what is made is for the node alone', async () => {
  const root = directory()
  await nodeFiles.makeDirectory(join(root, 'a/b'))
  await (await nodeFiles.open(join(root, 'a/b/c'), 'append')).close()
  expect([join(root, 'a'), join(root, 'a/b/c')].map(path => statSync(path).mode & 0o777)).toEqual([0o700, 0o600])
})
