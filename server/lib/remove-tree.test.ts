import { chmodSync, existsSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { removeTree } from './remove-tree.ts'

const NOBODY = 65_534

test('directories without permissions are removed, and what a link leads to stays', async () => {
  // Root may remove anything, so what is about rights is done as somebody else where tests run as root.
  const isRoot = process.geteuid?.() === 0
  if (isRoot) process.seteuid?.(NOBODY)
  onTestFinished(() => {
    if (isRoot) process.seteuid?.(0)
  })
  const root = mkdtempSync(join(tmpdir(), 'skein-remove-'))
  mkdirSync(join(root, 'outside'))
  mkdirSync(join(root, 'tree', 'closed', 'deeper'), { recursive: true })
  writeFileSync(join(root, 'tree', 'closed', 'deeper', 'file'), 'x')
  symlinkSync('../../outside', join(root, 'tree', 'closed', 'link'))
  chmodSync(join(root, 'tree', 'closed', 'deeper'), 0o555)
  chmodSync(join(root, 'tree', 'closed'), 0o000)
  await removeTree(join(root, 'tree'))
  expect(existsSync(join(root, 'tree'))).toBe(false)
  expect(existsSync(join(root, 'outside'))).toBe(true)
  await removeTree(root)
})

test('a tree too deep for its path to be named is removed', async () => {
  const root = mkdtempSync(join(tmpdir(), 'skein-remove-'))
  const name = 'd'.repeat(250)
  const before = process.cwd()
  onTestFinished(() => process.chdir(before))
  process.chdir(root)
  for (let depth = 0; depth < 20; depth++) {
    mkdirSync(name)
    process.chdir(name)
  }
  writeFileSync('file', 'x')
  process.chdir(before)
  await removeTree(root)
  expect(existsSync(root)).toBe(false)
  await removeTree(root)
})
