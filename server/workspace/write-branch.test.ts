import { expect, test } from 'vitest'
import { repoAt, temporary } from './fixture.ts'
import { writeBranch } from './write-branch.ts'

function repository() {
  const repo = repoAt(temporary())
  repo.git('init', '-q', '-b', 'main')
  repo.write('app/specs/a b,c.md', 'one\n')
  repo.write('other.txt', 'kept\n')
  repo.commit()
  return repo
}
const files = (text: string, path = 'specs/a b,c.md') => [{ path, bytes: new TextEncoder().encode(text) }]
const INPUT = { prefix: 'skein/specs/001', message: '  Tick it\n\n' }

test('files of a directory below the top come onto a branch of their own, byte for byte; nothing else changes', async () => {
  const repo = repository()
  repo.write('other.txt', 'changed and not committed\n')
  const before = [repo.git('status', '--porcelain'), repo.git('symbolic-ref', 'HEAD'), repo.git('rev-parse', 'HEAD')]
  const text = '\uFEFFone\r\ntwo'
  const { branch, commit } = await writeBranch({ ...INPUT, directory: `${repo.path}/app/`, files: files(text) })
  expect(branch).toMatch(/^skein\/specs\/001-[0-9a-f]{12}$/)
  expect(repo.git('rev-parse', branch, `${branch}~1`).split('\n')).toEqual([commit, before[2]])
  expect(repo.git('cat-file', 'blob', `${branch}:app/specs/a b,c.md`)).toBe(text)
  expect(repo.git('diff', '--name-only', `main..${branch}`)).toBe('app/specs/a b,c.md')
  expect(repo.git('log', '-1', '--format=%B', branch)).toBe('Tick it\n')
  expect([repo.git('status', '--porcelain'), repo.git('symbolic-ref', 'HEAD'), repo.git('rev-parse', 'HEAD')]).toEqual(before)
})

test('the same makes one branch, also at the same time; after a commit it is another', async () => {
  const repo = repository()
  const write = () => writeBranch({ ...INPUT, directory: repo.path, files: files('x') })
  const made = await Promise.all([write(), write(), write()])
  expect(new Set(made.map(({ branch, commit }) => `${branch} ${commit}`)).size).toBe(1)
  expect(await write()).toEqual(made[0])
  repo.write('other.txt', 'more\n')
  repo.commit()
  expect((await write()).branch).not.toBe(made[0]?.branch)
})

test('a branch that somebody went on with is left alone, and so is a repository without a commit', async () => {
  const repo = repository()
  const write = () => writeBranch({ ...INPUT, directory: repo.path, files: files('x') })
  const { branch } = await write()
  repo.git('update-ref', `refs/heads/${branch}`, 'main')
  await expect(write()).rejects.toMatchObject({ code: 'conflict' })
  expect(repo.git('rev-parse', branch)).toBe(repo.git('rev-parse', 'main'))
  const empty = repoAt(temporary())
  empty.git('init', '-q')
  await expect(writeBranch({ ...INPUT, directory: empty.path, files: files('x') })).rejects.toMatchObject({ code: 'conflict' })
  await expect(writeBranch({ ...INPUT, directory: temporary(), files: files('x') })).rejects.toMatchObject({
    code: 'not_a_repository',
  })
})

test('what was a file where a folder is now, and an executable, come as they are', async () => {
  const repo = repository()
  repo.write('specs', 'a file\n')
  repo.git('update-index', '--add', '--chmod=+x', 'specs')
  repo.commit()
  const { branch } = await writeBranch({ ...INPUT, directory: repo.path, files: files('x', 'specs/001/tasks.md') })
  expect(repo.git('ls-tree', '-r', '--name-only', branch, 'specs')).toBe('specs/001/tasks.md')
})
