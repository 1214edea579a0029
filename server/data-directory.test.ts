import { mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDataDirectory } from './data-directory.ts'

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'skein-data-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

describe('a data directory', () => {
  it('is made with its parents, for this user alone', async () => {
    const { data } = await openDataDirectory(join(root, 'a', 'b'))
    expect((await stat(data)).mode & 0o777).toBe(0o700)
  })

  it('may be there, or be a link to one', async () => {
    await symlink(root, `${root}-link`)
    try {
      expect((await openDataDirectory(`${root}-link`)).data).toBe(root)
      expect((await openDataDirectory(root)).data).toBe(root)
    } finally {
      await rm(`${root}-link`)
    }
  })

  it.skipIf(process.platform !== 'linux')('is refused below /proc, where Node.js would try for ever', async () => {
    await expect(openDataDirectory('/proc/nope/deep')).rejects.toMatchObject({
      message: expect.stringContaining('cannot be made'),
      remedy: expect.stringContaining('SKEIN_DATA_DIR'),
    })
  })

  it('is refused where a file is in its way', async () => {
    await writeFile(join(root, 'file'), '')
    await expect(openDataDirectory(join(root, 'file'))).rejects.toThrow('cannot be made')
    await expect(openDataDirectory(join(root, 'file', 'below'))).rejects.toThrow('cannot be made')
  })
})
