import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { planShown } from './shown.ts'

let root: string
beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'skein-shown-')))
  await mkdir(join(root, 'objects'))
  await writeFile(join(root, 'agent.mjs'), 'program')
  await writeFile(join(root, 'large'), Buffer.alloc(800 * 1024))
})
afterAll(() => rm(root, { recursive: true }))

test('directories are to be filled, files are told by their content, and each once', async () => {
  const paths = [join(root, 'objects'), join(root, 'agent.mjs'), join(root, 'objects')]
  const { directories, files } = await planShown(paths)
  expect(directories).toEqual([join(root, 'objects')])
  expect(files).toMatchObject([{ path: join(root, 'agent.mjs'), content: Buffer.from('program') }])
  await writeFile(join(root, 'other.mjs'), 'program')
  expect((await planShown([join(root, 'other.mjs')])).files[0]?.hash).toBe(files[0]?.hash)
})

test.each([
  ['what the image brings', () => '/usr'],
  ['what is ours inside', () => '/skein/work/x'],
  ['a way round', () => `${root}/../etc`],
  ['no whole path', () => 'objects'],
  ['more than a ConfigMap holds', () => join(root, 'large')],
  ['what is not there', () => join(root, 'absent')],
])('%s cannot be shown', async (_, path) => {
  await expect(planShown([path()])).rejects.toMatchObject({ name: 'SandboxError', code: 'failed' })
})
