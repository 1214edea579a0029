import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createLinks } from './links.ts'
import { presentFeature } from './present.ts'
import { createSpecReader } from './reader.ts'

let base = ''
beforeAll(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'skein-links-')))
  for (const path of ['tree/src', 'tree/specs/001-a', 'away', 'tree-2']) await mkdir(join(base, path), { recursive: true })
  await symlink('../away', join(base, 'tree/out'))
  await symlink('../../away', join(base, 'tree/src/deep'))
  await symlink('src', join(base, 'tree/in'))
  await symlink('../tree-2', join(base, 'tree/sibling'))
  await symlink('/nowhere/at/all', join(base, 'tree/gone'))
  await symlink('round', join(base, 'tree/round'))
  await symlink('../../away/x.ts', join(base, 'tree/src/file.ts'))
  await writeFile(join(base, 'away/x.ts'), '')
})
afterAll(() => rm(base, { recursive: true }))

const feature = (...paths: string[]) =>
  ({ tasks: [{ paths: paths.map(path => ({ path, leaves: false, start: 0, end: 0 })) }] }) as never

it('finds what leads out of the work tree by a link on the way, and only that', async () => {
  const out = ['out/a.ts', 'src/deep/new/b.ts', 'in/deep/c.ts', 'sibling/d.ts', 'src/file.ts', 'src\\deep\\e.ts']
  const inside = ['src/a.ts', 'in/a.ts', 'gone/a.ts', 'round/a.ts', 'new/a.ts', './src/./b.ts', 'src/x\0y.ts']
  expect([...(await createLinks().leaving(join(base, 'tree'), feature(...inside, ...out)))]).toEqual(out)
})

it('looks again after a while, for links come and go', async () => {
  let now = 0
  const links = createLinks(() => now)
  const leaving = async () => (await links.leaving(join(base, 'tree'), feature('later/a.ts'))).size
  expect(await leaving()).toBe(0)
  await symlink('../away', join(base, 'tree/later'))
  expect(await leaving()).toBe(0)
  now = 10_000
  expect(await leaving()).toBe(1)
})

it('is a problem of the task that names it', async () => {
  await writeFile(join(base, 'tree/specs/001-a/tasks.md'), '- [ ] T001 Mend `out/a.ts` and `src/a.ts`\n')
  const read = await createSpecReader().read(join(base, 'tree'), '001-a')
  const { problems } = presentFeature(read ?? expect.unreachable(), () => null)
  expect(problems.filter(({ code }) => code === 'path-outside')).toEqual([
    expect.objectContaining({ message: expect.stringMatching(/^out\/a\.ts leads outside the repository by a link/) }),
  ])
})
