import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Files, pieces } from '#server/lib/files.ts'

const bytes = (text: string) => Buffer.from(text)

async function append(files: Files, path: string, text: string): Promise<void> {
  const file = await files.open(path, 'append')
  await file.write(bytes(text), await file.size())
  await file.sync()
  await file.close()
}

async function text(files: Files, path: string, from = 0, to?: number): Promise<string> {
  const file = await files.open(path, 'read')
  const parts: Uint8Array[] = []
  for await (const piece of pieces(file, from, to)) parts.push(piece)
  await file.close()
  return Buffer.concat(parts).toString()
}

/** What every disk promises. `make` gives an empty directory on it. */
export function filesContract(name: string, make: () => { files: Files; root: string }): void {
  describe(`${name} keeps the promises of a disk`, () => {
    test('what was appended is read again, whole and in part', async () => {
      const { files, root } = make()
      const path = join(root, 'log')
      await append(files, path, 'hello ')
      await append(files, path, 'world')
      expect(await files.size(path)).toBe(11)
      expect(await text(files, path)).toBe('hello world')
      expect(await text(files, path, 6, 9)).toBe('wor')
      expect(await text(files, path, 20)).toBe('')
    })

    test('a reader sees what is appended while it is open', async () => {
      const { files, root } = make()
      const path = join(root, 'log')
      await append(files, path, 'one')
      const file = await files.open(path, 'read')
      await append(files, path, 'two')
      const into = new Uint8Array(10)
      expect(await file.read(into, 0)).toBe(6)
      expect(await file.read(into, 6)).toBe(0)
      await file.close()
    })

    test('what is not there has no size and no names, cannot be read, and may be removed', async () => {
      const { files, root } = make()
      const path = join(root, 'none')
      expect(await files.size(path)).toBeNull()
      expect(await files.list(path)).toEqual([])
      await expect(files.open(path, 'read')).rejects.toMatchObject({ code: 'ENOENT' })
      await expect(files.open(join(path, 'file'), 'append')).rejects.toMatchObject({ code: 'ENOENT' })
      await files.remove(path)
    })

    test('a directory goes with all that is in it', async () => {
      const { files, root } = make()
      await files.makeDirectory(join(root, 'a/b'))
      await files.makeDirectory(join(root, 'a/b'))
      await append(files, join(root, 'a/b/c'), 'x')
      await append(files, join(root, 'a/d'), 'x')
      await append(files, join(root, 'ab'), 'x')
      expect((await files.list(join(root, 'a'))).toSorted()).toEqual(['b', 'd'])
      await files.remove(join(root, 'a'))
      expect(await files.list(root)).toEqual(['ab'])
    })
  })
}
