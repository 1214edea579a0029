import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { createSpool } from './spool.ts'

test('keeps nothing of what is over and taken, and still tells its end', async () => {
  const root = mkdtempSync(join(tmpdir(), 'skein-spool-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  const directory = join(root, 'stdout')
  const spool = createSpool(directory, 1000)
  spool.append(Buffer.from('some output'))
  spool.taken(5)
  spool.finish()
  expect(await text(spool.read(5))).toBe('output')
  expect(existsSync(join(directory, '0'))).toBe(true)
  spool.taken(11)
  expect(existsSync(directory)).toBe(false)
  expect(await text(spool.read(11))).toBe('')
})
